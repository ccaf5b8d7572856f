"""A report as one HTML page that needs nothing else: inline SVG, tables, a script that sorts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from .figures import Figure
from .sources import Content

if TYPE_CHECKING:
    import pandas as pd


def page(content: Content) -> str:
    """The page."""
    return _PAGE.substitute(
        title=escape(content.title),
        subtitle=escape(content.subtitle),
        facts="".join(map(_fact, *zip(*content.facts.items(), strict=True))),
        notes="".join(f"<li>{escape(note)}</li>" for note in content.notes),
        figures="".join(map(_figure, content.figures)),
        tables="".join(
            f"<section><h2>{escape(name)}</h2>{_table(frame)}</section>"
            for name, frame in content.tables.items()
        ),
    )


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _figure(figure: Figure) -> str:
    csv = base64.b64encode(figure.data.to_csv(index=False).encode()).decode()
    return (
        f'<figure class="{figure.shape}">'
        f"<h2>{escape(figure.title)}</h2>{figure.svg()}"
        f"<figcaption>{escape(figure.description)} "
        f'<a download="{figure.name}.csv" href="data:text/csv;base64,{csv}">Data</a>'
        "</figcaption></figure>"
    )


def _table(frame: pd.DataFrame) -> str:
    head = "".join(_heading(str(name), _is_numeric(frame[name])) for name in frame)
    rows = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in frame.itertuples(index=False))
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll" tabindex="0"><table>{body}</table></div>'


def _is_numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "if"


def _heading(name: str, numeric: bool) -> str:
    kind = ' class="number"' if numeric else ""
    return f'<th scope="col"{kind} aria-sort="none"><button>{escape(name)}</button></th>'


def _cells(row: tuple[Any, ...]) -> Iterator[str]:
    for value in row:
        if isinstance(value, bool | str) or not isinstance(value, int | float):
            yield f"<td>{escape('' if value is None else str(value))}</td>"
        elif value != value:  # NaN sorts last and shows as nothing
            yield '<td class="number"></td>'
        else:
            text = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
            text = f"{value:,.0f}" if abs(value) >= 1e4 else text
            yield f'<td class="number" data-value="{value!r}">{text}</td>'


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 24px 32px; max-width: 1280px;
  color: #1d2327; background: #fff; }
header { border-bottom: 3px solid #0072b2; margin-bottom: 20px; }
h1 { font-size: 28px; margin: 0; }
h2 { font-size: 17px; margin: 0 0 8px; }
header p { margin: 2px 0 12px; color: #4b5358; }
dl { display: flex; flex-wrap: wrap; gap: 14px; margin: 0 0 16px; }
dl div { border: 1px solid #d5dade; border-radius: 6px; padding: 10px 18px; }
dt { color: #4b5358; font-size: 13px; }
dd { margin: 0; font-size: 26px; font-weight: 600; font-variant-numeric: tabular-nums; }
ul { color: #4b5358; padding-left: 20px; }
ul:empty { display: none; }
#figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 20px;
  align-items: start; }
figure { margin: 0; padding: 16px; border: 1px solid #d5dade; border-radius: 6px; }
figure.wide { grid-column: 1 / -1; }
figure.tall { grid-row: span 2; }
figure.tall svg { max-height: 620px; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { color: #4b5358; font-size: 13px; margin-top: 8px; }
section { margin-top: 28px; }
.scroll { overflow-x: auto; max-height: 560px; overflow-y: auto; border: 1px solid #d5dade; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { position: sticky; top: 0; background: #eef2f5; text-align: left; padding: 0; }
th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 7px 10px;
  cursor: pointer; width: 100%; text-align: left; white-space: nowrap; color: inherit; }
th.number button { text-align: right; }
th[aria-sort=ascending] button::after { content: " \\25b2"; }
th[aria-sort=descending] button::after { content: " \\25bc"; }
td { padding: 5px 10px; border-top: 1px solid #e6eaed; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tbody tr:hover { background: #f6f9fb; }
a { color: #005a8e; }
:focus-visible { outline: 2px solid #0072b2; outline-offset: 1px; }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  figure, section, dl div { break-inside: avoid; }
  .scroll { max-height: none; overflow: visible; border: 0; }
  th { position: static; }
  a[download] { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
</style>
</head>
<body>
<header><h1>$title</h1><p>$subtitle</p></header>
<main>
<dl>$facts</dl>
<ul>$notes</ul>
<div id="figures">$figures</div>
$tables
</main>
<script>
function value(row, column) {
  const cell = row.cells[column];
  return cell.classList.contains("number") ? Number(cell.dataset.value) : cell.textContent;
}
function compare(a, b) {
  if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b));
  return a - b;
}
function sort(heading) {
  const body = heading.closest("table").tBodies[0], column = heading.cellIndex;
  const down = heading.ariaSort === "ascending";
  for (const other of heading.parentElement.cells) other.ariaSort = "none";
  heading.ariaSort = down ? "descending" : "ascending";
  const [known, missing] = [[], []];
  for (const row of body.rows) (Number.isNaN(value(row, column)) ? missing : known).push(row);
  known.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
  body.append(...known, ...missing);
}
for (const heading of document.querySelectorAll("th"))
  heading.firstChild.onclick = () => sort(heading);
</script>
</body>
</html>
""")
