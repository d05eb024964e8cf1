export { Ladder, type LadderConfig } from './ladder.js'
