// Something to look at: a configuration and traffic of its own making. What other rooms use of it.

export { sampleConfiguration } from './configuration.js'
