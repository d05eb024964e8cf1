export * from './contract.js'
export { admit } from './admission.js'
export { failureError } from './failures.js'
