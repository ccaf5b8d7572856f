"""A timeline as one HTML page that needs nothing else: inline SVG, and a script for zoom."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from string import Template
from xml.etree import ElementTree as ET

from ...isa.errors import InputError
from .pipeline import STAGES, Arrow, Pipeline, Row, Span

MOST_ROWS, MOST_CYCLES = 3000, 5000  # beyond that, browsers become slow
CELL, ROW, BOX, STRIP = 14, 28, 15, 9  # pixels: a cycle, a row, its stages, its stalls
AXIS = 24
TICKS = 10  # cycles from tick to tick
LETTER = 6.2  # pixels, roughly

STAGE_COLOURS = {
    "F": "#c6dbef",
    "D": "#9ecae1",
    "IB": "#eeeeee",
    "Is": "#2171b5",
    "Ct": "#6baed6",
    "Al": "#bcbddc",
    "Xq": "#dadaeb",
    "RO": "#9e9ac8",
    "X": "#74c476",
    "Wb": "#238b45",
}
STALL_COLOURS = {
    "drain": "#d9d9d9",
    "barrier": "#8c6d31",
    "membar": "#bd9e39",
    "branch_resolving": "#e7ba52",
    "no_instruction": "#fdd0a2",
    "wait": "#fdae6b",
    "long_scoreboard": "#de2d26",
    "short_scoreboard": "#fb6a4a",
    "imc_miss": "#a63603",
    "lg_throttle": "#7b4173",
    "mio_throttle": "#a55194",
    "math_pipe_throttle": "#ce6dbd",
    "dispatch_stall": "#de9ed6",
    "not_selected": "#969696",
    "misc": "#636363",
}


def page(pipeline: Pipeline) -> str:
    """The page. Raises InputError for a window that no browser shows with pleasure."""
    rows, cycles = len(pipeline.rows), pipeline.window.last - pipeline.window.first
    if rows > MOST_ROWS or cycles > MOST_CYCLES:
        raise InputError(
            f"{rows} instructions in {cycles} cycles are too many for a page (at most {MOST_ROWS} "
            f"in {MOST_CYCLES}); choose fewer cycles or warps, or the formats konata or perfetto"
        )
    return _PAGE.substitute(
        kernel=escape(pipeline.kernel),
        about=escape(f"{pipeline.gpu}, {pipeline.cycles}"),
        stalls=escape(_summary(pipeline)),
        legend="".join(_legend(pipeline)),
        labels="".join(map(_label, range(rows), pipeline.rows)),
        row=ROW,
        axis=AXIS,
        svg=ET.tostring(_svg(pipeline), encoding="unicode"),
    )


def _summary(pipeline: Pipeline) -> str:
    return ", ".join(f"{name} {cycles}" for name, cycles in pipeline.stall_cycles.items())


def _legend(pipeline: Pipeline) -> Iterator[str]:
    for name, meaning in STAGES.items():
        yield _key(STAGE_COLOURS[name], "stage", f"{name}: {meaning}")
    for name in pipeline.stall_cycles:
        if name in STALL_COLOURS:
            yield _key(STALL_COLOURS[name], "stall", name)


def _key(colour: str, kind: str, text: str) -> str:
    return f"<span><i class='{kind}' style='background:{colour}'></i>{escape(text)}</span>"


def _label(number: int, row: Row) -> str:
    where = f"sub-core {row.subcore}, slot {row.slot}, issued in cycle {row.issue}"
    return f"<div data-row='{number}' title='{escape(where)}'>{escape(row.label)}</div>"


def _svg(pipeline: Pipeline) -> ET.Element:
    width, height = _x(pipeline, pipeline.window.last), AXIS + ROW * len(pipeline.rows)
    svg = _element(
        None,
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
    )
    _arrow_head(svg)
    _axis(svg, pipeline, height)
    for number, row in enumerate(pipeline.rows):
        group = _element(svg, "g", **{"class": "row", "data-row": number})
        _boxes(group, pipeline, number, row)
    for arrow in pipeline.arrows:
        _arrow(svg, pipeline, arrow)
    return svg


def _arrow_head(svg: ET.Element) -> None:
    size = {"viewBox": "0 0 6 6", "refX": 5, "refY": 3, "markerWidth": 5, "markerHeight": 5}
    marker = _element(_element(svg, "defs"), "marker", id="head", orient="auto", **size)
    _element(marker, "path", d="M 0 0 L 6 3 L 0 6 z")


def _element(parent: ET.Element | None, tag: str, **attributes: object) -> ET.Element:
    values = {name: str(value) for name, value in attributes.items()}
    return ET.Element(tag, values) if parent is None else ET.SubElement(parent, tag, values)


def _x(pipeline: Pipeline, cycle: int) -> int:
    """Left edge of a cycle, as far as the window goes."""
    first, last = pipeline.window.first, pipeline.window.last
    return (min(max(cycle, first), last) - first) * CELL


def _axis(svg: ET.Element, pipeline: Pipeline, height: int) -> None:
    first = -(-pipeline.window.first // TICKS) * TICKS
    for cycle in range(first, pipeline.window.last, TICKS):
        x = _x(pipeline, cycle)
        _element(svg, "line", x1=x, x2=x, y1=0, y2=height, **{"class": "tick"})
        _element(svg, "text", x=x + 2, y=AXIS - 9, **{"class": "cycle"}).text = str(cycle)


def _boxes(group: ET.Element, pipeline: Pipeline, number: int, row: Row) -> None:
    top = AXIS + number * ROW + 1
    for stage in row.stages:
        colour = STAGE_COLOURS[stage.kind]
        title = f"{stage.name}: {STAGES[stage.kind]}"
        _box(group, pipeline, stage, top, BOX, colour, "stage", title)
    for stall in row.stalls:
        colour = STALL_COLOURS[stall.name]
        _box(group, pipeline, stall, top + BOX, STRIP, colour, "stall", f"stall: {stall.name}")


def _box(
    group: ET.Element,
    pipeline: Pipeline,
    span: Span,
    y: int,
    height: int,
    colour: str,
    kind: str,
    title: str,
) -> None:
    """A rectangle with its name, where the name fits; nothing outside the window."""
    x, end = _x(pipeline, span.begin), _x(pipeline, span.end)
    if x == end:
        return
    place = {"x": x, "y": y, "width": end - x, "height": height}
    box = _element(group, "rect", **place, fill=colour, **{"class": kind})
    cycles = f"cycles {span.begin} to {span.end - 1} ({span.end - span.begin})"
    _element(box, "title").text = f"{title}, {cycles}"
    if len(span.name) * LETTER <= end - x + 1:
        letters = f"{kind} {'dark' if _is_dark(colour) else 'light'}"
        text = _element(group, "text", x=x + 2, y=y + height - 2, **{"class": letters})
        text.text = span.name


def _is_dark(colour: str) -> bool:
    """Whether white letters stand out better (ITU-R BT.601 luma)."""
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128


def _arrow(svg: ET.Element, pipeline: Pipeline, arrow: Arrow) -> None:
    """From where the producer ends, or stands when the consumer issues, to that issue."""
    producer, consumer = pipeline.rows[arrow.producer], pipeline.rows[arrow.consumer]
    if not pipeline.window.first <= consumer.issue < pipeline.window.last:
        return
    x0 = _x(pipeline, min(producer.end, consumer.issue))
    x1 = _x(pipeline, consumer.issue) + CELL // 2
    y0 = AXIS + arrow.producer * ROW + 1 + BOX
    y1 = AXIS + arrow.consumer * ROW + 1
    path = _element(
        svg,
        "path",
        d=f"M {x0} {y0} C {x0} {(y0 + y1) // 2} {x1} {(y0 + y1) // 2} {x1} {y1}",
        **{
            "class": "counter" if arrow.what.startswith("SB") else "register",
            "data-from": arrow.producer,
            "data-to": arrow.consumer,
            "marker-end": "url(#head)",
        },
    )
    _element(path, "title").text = f"{arrow.what}: {producer.text} -> {consumer.text}"


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$kernel: pipeline</title>
<style>
body { font: 13px system-ui, sans-serif; margin: 12px; color: #222; background: #fff; }
h1 { font-size: 17px; margin: 0 0 4px; }
p { margin: 4px 0; }
.legend span { margin-right: 12px; white-space: nowrap; }
.legend i { display: inline-block; width: 12px; height: 12px; margin-right: 4px; }
.legend i.stall { height: 6px; }
#frame { display: flex; overflow: auto; max-height: 82vh; border: 1px solid #ccc; }
#labels { position: sticky; left: 0; z-index: 1; background: #fff; padding-top: ${axis}px;
  border-right: 1px solid #ccc; height: max-content; }
#labels div { height: ${row}px; line-height: 17px; padding: 0 8px; white-space: pre;
  font: 12px/17px ui-monospace, monospace; box-sizing: border-box; cursor: pointer; }
svg { flex: none; }
svg text { font: 10px ui-monospace, monospace; pointer-events: none; }
svg text.stall { font-size: 9px; }
text.dark { fill: #fff; }
rect.stage { stroke: #fff; stroke-width: 1; }
line.tick { stroke: #e4e4e4; }
text.cycle { fill: #666; }
path { fill: none; stroke: #444; stroke-width: 1.2; opacity: .55;
  vector-effect: non-scaling-stroke; }
path.counter { stroke-dasharray: 4 3; }
#head path { fill: #444; stroke: none; opacity: 1; }
.focused path[data-from] { opacity: .06; }
.focused path.near { opacity: 1; stroke-width: 2; }
#labels div.focus { background: #fff3c4; }
.far text { display: none; }
</style>
</head>
<body>
<h1>$kernel</h1>
<p>$about. Warp-cycles: $stalls.</p>
<p class="legend">$legend</p>
<p><label>Zoom <select id="zoom"><option value=".125">1/8<option value=".25">1/4
<option value=".5">1/2<option value="1" selected>1<option value="2">2</select></label>
Click an instruction to see only its own dependences; dashed: a dependence counter alone.</p>
<div id="frame"><div id="labels">$labels</div>$svg</div>
<script>
const frame = document.getElementById("frame"), svg = frame.querySelector("svg");
const width = svg.viewBox.baseVal.width;
document.getElementById("zoom").onchange = event => {
  const zoom = Number(event.target.value);
  svg.setAttribute("width", width * zoom);
  svg.classList.toggle("far", zoom !== 1);
};
let focus = null;
frame.onclick = event => {
  const hit = event.target.closest("[data-row]");
  focus = hit && hit.dataset.row !== focus ? hit.dataset.row : null;
  svg.classList.toggle("focused", focus !== null);
  for (const path of svg.querySelectorAll("path[data-from]"))
    path.classList.toggle("near", path.dataset.from === focus || path.dataset.to === focus);
  for (const label of document.querySelectorAll("#labels div"))
    label.classList.toggle("focus", label.dataset.row === focus);
};
</script>
</body>
</html>
""")
