"""The style sheet of a report."""

PAGE_STYLE = """\
:root { color-scheme: light; --ink: #1a1a1a; --grey: #595959; --line: #c8c8c8; --link: #004b87; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 80rem; padding: 0 1rem 3rem; background: #fff; color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
header { border-bottom: 1px solid var(--line); margin-bottom: 1rem; }
.report { margin: .75rem 0 .25rem; color: var(--grey); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; margin: 0; padding: 0; }
nav a { display: block; min-width: 2rem; padding: .3rem .6rem; text-align: center; }
nav [aria-current] { background: var(--ink); color: #fff; text-decoration: none; }
.pager { margin: 1rem 0; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 1rem 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 .25rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
.note, .card .label, .card .remark, figcaption { color: var(--grey); font-size: .875rem; }
.table { overflow-x: auto; margin: 1rem 0; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td {
  padding: .2rem .75rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line);
  overflow-wrap: normal;
}
th:first-child { text-align: left; font-weight: normal; }
thead th { font-weight: 600; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; }
pre { overflow-x: auto; }
.cards { display: grid; gap: 1.5rem; margin-top: 1rem; }
.card { content-visibility: auto; contain-intrinsic-size: auto 24rem; min-width: 0; }
.cards:not(.small) .card { border-bottom: 1px solid var(--line); padding: .25rem .25rem 1rem; }
.cards.small { grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem; }
.cards.small .card { contain-intrinsic-size: auto 12rem; padding: .25rem; }
figure { margin: 0; }
.frame { position: relative; max-width: 100%; background: #e6e6e6; overflow: hidden; }
.frame img { display: block; width: 100%; height: 100%; }
.box {
  position: absolute; border: 3px solid var(--color); outline: 1px solid #fff;
  box-shadow: inset 0 0 0 1px #fff;
}
.box[hidden] { display: none; }
.box.truth { border: 2px dashed #fff; outline: 2px solid #000; box-shadow: none; }
.pointed .box:not(.active) { opacity: .25; }
.pointed .box.active { border-width: 5px; }
.pointed .box.truth.active { border-width: 3px; }
.right figcaption::before, .line.right .remark::before { content: "✓ "; color: #00663f; }
.wrong figcaption::before, .line.wrong .remark::before { content: "✗ "; color: #a80000; }
.right > figure > .frame { outline: 4px solid #00855a; }
.line { margin: 0; padding: .2rem 0; line-height: 1.9; }
.line.shown { background: #f4f4f4; }
.line.labelled { padding-left: 7rem; }
.card .label { display: inline-block; width: 7rem; margin-left: -7rem; }
.part {
  font: inherit; color: inherit; text-align: left; cursor: pointer; margin: 0; padding: 0 .25rem;
  border: 0; border-bottom: 3px solid var(--color); border-radius: 3px 3px 0 0; background: #f0f0f0;
  background: color-mix(in srgb, var(--color) 16%, #fff);
}
.part.active { box-shadow: 0 0 0 2px var(--ink); }
.plain { color: var(--grey); }
ruby { ruby-position: under; margin-right: .3rem; white-space: nowrap; }
rt { color: var(--grey); font-size: .7rem; }
.line .remark { display: inline-block; }
.status { min-height: 1.5em; margin: .25rem 0 0; }
@media (min-width: 48rem) {
  .cards:not(.small) .card { display: grid; grid-template-columns: 24rem 1fr; gap: 0 1.5rem; }
  .cards:not(.small) figure { position: sticky; top: .5rem; align-self: start; }
}
"""
