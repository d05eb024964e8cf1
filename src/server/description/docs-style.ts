// How the page of the description looks. Colours are pairs for light and dark, each readable on its ground.

/** The stylesheet, in full. */
export const DOCS_STYLE = `:root {
  color-scheme: light dark;
  --ground: light-dark(#fff, #14171c);
  --raised: light-dark(#f4f5f7, #1d2129);
  --ink: light-dark(#1c2026, #e5e8ec);
  --faint: light-dark(#59616d, #a3abb7);
  --line: light-dark(#dcdfe4, #343a45);
  --link: light-dark(#0b5cad, #7db8f5);
  font: 16px/1.55 system-ui, sans-serif;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--ground); color: var(--ink); display: grid; grid-template: "header header" auto "nav main" auto / 19rem minmax(0, 1fr); gap: 1rem 2.5rem; }
header { grid-area: header; max-width: 52rem; }
nav { grid-area: nav; position: sticky; top: 0; max-height: 100vh; overflow: auto; padding: 1rem 0; align-self: start; }
main { grid-area: main; min-width: 0; }
h1 { margin: 0 0 .25em; font-size: 2rem; }
h1 small { color: var(--faint); font-weight: 400; font-size: 1rem; }
main h2 { font-size: 1.5rem; margin: 2rem 0 .25rem; }
nav h2 { font-size: .95rem; margin: 1rem 0 .25rem; }
nav ul { list-style: none; margin: 0; padding: 0; font-size: .82rem; overflow-wrap: anywhere; }
nav li a { display: block; padding: .15rem 0; text-decoration: none; color: var(--ink); }
h3 { margin: 0 0 .5rem; font-size: 1.05rem; overflow-wrap: anywhere; }
h4 { margin: 1rem 0 .25rem; font-size: .9rem; color: var(--faint); }
a { color: var(--link); }
a:hover, nav li a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 1rem 0; }
article:target { border-color: var(--link); }
p { margin: .35rem 0; }
.role { color: var(--faint); }
code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--raised); border-radius: .4rem; padding: .7rem .9rem; margin: .9rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); font-weight: 400; }
td { overflow-wrap: anywhere; min-width: 3rem; }
td:last-child { min-width: 11rem; }
thead th { color: var(--faint); border-top: 0; font-size: .8rem; }
small { color: var(--faint); }
.method { display: inline-block; min-width: 3.6em; font: 600 .78rem ui-monospace, Menlo, Consolas, monospace; color: var(--method); }
.get { --method: light-dark(#0b5cad, #7db8f5); }
.post { --method: light-dark(#1a6b38, #73cf93); }
.put, .patch { --method: light-dark(#845400, #e7b75c); }
.delete { --method: light-dark(#b3261e, #ff9a90); }
@media (max-width: 60rem) {
  body { display: block; padding: 1rem; }
  nav { position: static; max-height: 16rem; border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem 1rem; }
  article { padding: .75rem .85rem; }
}
`
