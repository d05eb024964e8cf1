// Where the dashboard begins: the colours first, then the page.

import { render } from 'preact'
import { App } from './app.js'
import { apply, heldTheme } from './data/theme.js'

apply(heldTheme())
render(<App />, document.getElementById('app') as HTMLElement)
