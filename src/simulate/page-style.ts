// How the page of a simulation looks, on paper-white and on dark, on a desk and on a phone. The colours of the columns can be told apart by
// those who see red and green alike (after Okabe and Ito), and each line has a pattern of its own beside.

/** The style sheet of the page. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5a6675;--line:#e1e5ea;--grid:#eceff3;--good:#00735a;--bad:#b3400a;
--c0:#6b7785;--c1:#0072b2;--c2:#d55e00;--c3:#009e73;--c4:#b0528c;--c5:#a07900;--c6:#3a9bd9;--c7:#7a4fd0}
@media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#19212b;--ink:#e6ebf1;--soft:#9aa7b6;--line:#2a3542;--grid:#232d39;--good:#4fd1a5;--bad:#ff9a6b;
--c0:#9aa7b6;--c1:#5fb8ee;--c2:#ff9357;--c3:#3fcf9f;--c4:#e69ac8;--c5:#e3c04b;--c6:#8fd0ff;--c7:#b79cff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:32px 24px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:17px;margin:40px 0 12px;letter-spacing:-.005em}
p{margin:0}.sub{color:var(--soft);overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(215px,1fr));gap:14px;margin-top:24px}
.card,figure,.box{background:var(--card);border:1px solid var(--line);border-radius:12px}
.card{padding:16px 18px;border-top:4px solid var(--k)}
.name{display:flex;align-items:center;gap:8px;font-weight:600;overflow-wrap:anywhere}
.big{font-size:28px;font-weight:650;letter-spacing:-.02em;margin-top:8px;font-variant-numeric:tabular-nums}
.card dl{display:grid;grid-template-columns:1fr auto;gap:3px 12px;margin:10px 0 0;font-size:13.5px}
.card dt{color:var(--soft)}.card dd{margin:0;text-align:right;font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad)}
.k0{--k:var(--c0)}.k1{--k:var(--c1)}.k2{--k:var(--c2)}.k3{--k:var(--c3)}.k4{--k:var(--c4)}.k5{--k:var(--c5)}.k6{--k:var(--c6)}.k7{--k:var(--c7)}
.plots figure:first-child{grid-column:1/-1}
.plots{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
figure{margin:0;padding:16px 18px 12px;min-width:0}
figcaption{font-weight:600}figcaption small{display:block;font-weight:400;color:var(--soft);font-size:13px}
.keys{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0 4px;padding:0;list-style:none;font-size:13px;color:var(--soft)}
.keys li{display:flex;align-items:center;gap:7px;min-width:0;overflow-wrap:anywhere}
.keys svg{flex:none}
.swatch{width:11px;height:11px;border-radius:3px;background:var(--k);flex:none}
.plot{position:relative;height:230px;border-radius:8px;outline-offset:2px}
.plot:focus-visible{outline:2px solid var(--c1)}
.tip{position:absolute;z-index:5;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:8px;box-shadow:0 4px 16px rgb(0 0 0/.16);padding:8px 10px;font-size:12.5px;white-space:nowrap;display:none;font-variant-numeric:tabular-nums;max-width:90%}
.tip b{display:block;margin-bottom:2px}
.tip div{display:flex;align-items:center;gap:7px}.tip i{font-style:normal;margin-left:auto;padding-left:14px}
.tip bdi{overflow:hidden;text-overflow:ellipsis}
details{margin-top:8px;font-size:13.5px}summary{cursor:pointer;color:var(--soft)}summary:focus-visible{outline:2px solid var(--c1)}
.scroll{overflow-x:auto;max-height:440px;overflow-y:auto}
.wide{overflow-x:auto}
.box{padding:4px 18px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:8px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}tr:last-child>*{border-bottom:0}
thead th{font-weight:600}.scroll thead th{position:sticky;top:0;background:var(--card);z-index:1}tbody th{font-weight:400;color:var(--soft)}
td.text,th.text{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:8em}
th .swatch{display:inline-block;margin-right:6px}
.tier+.tier{border-top:1px solid var(--line)}
.tier{padding:14px 0}.tier h3{font-size:14.5px;margin:0 0 6px}.tier h3 small{font-weight:400;color:var(--soft)}
.bar{display:grid;grid-template-columns:minmax(90px,170px) minmax(0,1fr) 92px minmax(0,190px);gap:12px;align-items:center;font-size:13.5px;padding:2px 0;font-variant-numeric:tabular-nums}
.bar>span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bar>span:nth-child(3){text-align:right}.bar>span:last-child{color:var(--soft)}
.bar svg{display:block;width:100%;height:12px}.bar rect{fill:var(--k)}
ul.rules{margin:0;padding:12px 0 12px 18px;color:var(--soft)}ul.rules li+li{margin-top:4px}
.warn{border-left:4px solid var(--bad)}
footer{margin-top:32px;color:var(--soft);font-size:13px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.u-legend{display:none}
@media(max-width:820px){main{padding:20px 14px 36px}.plots{grid-template-columns:minmax(0,1fr)}h1{font-size:22px}.big{font-size:25px}h2{margin-top:30px}
.box{padding:2px 14px}figure{padding:14px 14px 10px}.bar{grid-template-columns:minmax(70px,100px) minmax(0,1fr) auto;gap:8px}.bar>span:last-child{display:none}}
@media print{body{background:#fff}.card,figure,.box{break-inside:avoid}}
`
