// How the dashboard is built: into files with a hash in their names, which may be kept for ever. Nothing is written into the page itself, so
// that its content security policy needs no exception.

import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/src/dashboard/app',
    emptyOutDir: true,
    target: ['chrome125', 'edge125', 'firefox125', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // Of what is bundled, and so passed on: preact and uplot.
    license: { fileName: 'third-party-licenses.md' },
  },
})
