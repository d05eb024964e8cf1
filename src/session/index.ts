export { openSession, type OpeningEngine, type SessionConfig } from './opening.js'
export { Session, type NestedSessionConfig, type SessionRequest, type SessionSummary } from './session.js'
