// The last line of a test run, in the plainest words: how many passed and how many failed.

import type { Reporter, TestModule } from 'vitest/node'

/** A reporter that ends the run with `tests: 12 passed, 0 failed`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let passed = 0
    let failed = 0
    for (const module of modules) {
      if (module.state() === 'failed') failed += module.errors().length
      for (const test of module.children.allTests()) {
        if (test.result().state === 'passed') passed += 1
        if (test.result().state === 'failed') failed += 1
      }
    }
    process.stdout.write(`tests: ${passed} passed, ${failed} failed\n`)
  }
}
