"""The plots that architects expect, each with its data: for pages as SVG, for papers as files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np

from ...isa.files import whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's colours stay apart for colour-blind readers; markers and hatches do in grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = "os^Dv<>"
HATCHES = ("", "///", "...", "\\\\\\", "xxx")
ERROR_LIMIT = 100.0  # percent at which bars are cut
MOST_TICKS = 8  # values of a parameter with a tick each
FORMATS = ("pdf", "png")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "axes.edgecolor": "#666666",
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "warpwise",  # the same file for the same data
    "pdf.fonttype": 42,
    "savefig.bbox": "tight",
}


@dataclass(frozen=True)
class Figure:
    """One plot. `tips` are hover texts of the marks that `draw` named with the keys as gid."""

    name: str  # of its files
    title: str
    description: str  # stands for the plot where it cannot be seen
    data: pd.DataFrame = field(repr=False)
    draw: Callable[[Axes], None] = field(repr=False)
    size: tuple[float, float] = (6.0, 4.2)  # inches
    tips: dict[str, list[str]] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> str:
        """`wide`, `tall` or `plain`: how much room it needs on a page."""
        width, height = self.size
        return "wide" if width > 7 else "tall" if height > 0.85 * width else "plain"

    def canvas(self) -> Canvas:
        """The plot on a canvas of its own, outside pyplot's state."""
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas

        with mpl.rc_context(STYLE):
            canvas = Canvas(figsize=self.size, layout="constrained")
            self.draw(canvas.add_subplot())
        return canvas

    def svg(self) -> str:
        """For a page: an element with a text alternative and hover texts."""
        import matplotlib as mpl

        stream = io.StringIO()
        with mpl.rc_context(STYLE):
            self.canvas().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return _for_page(stream.getvalue(), self)

    def _repr_html_(self) -> str:
        return f'<div style="max-width: {6 * self.size[0]:.0f}em">{self.svg()}</div>'

    def save(self, folder: str | Path) -> list[Path]:
        """Write the plot as PDF and PNG, and its data as CSV."""
        import matplotlib as mpl

        base = Path(folder) / self.name
        base.parent.mkdir(parents=True, exist_ok=True)
        paths = [base.with_suffix(f".{suffix}") for suffix in (*FORMATS, "csv")]
        for path in paths[:-1]:
            with whole(path) as stream, mpl.rc_context(STYLE):
                self.canvas().savefig(stream, format=path.suffix[1:], dpi=200)
        with whole(paths[-1]) as stream:
            self.data.to_csv(stream, index=False)
        return paths


def _for_page(text: str, figure: Figure) -> str:
    """An `svg` element alone; ids get the figure's name, since a page has several figures."""
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    text = re.sub(r'\bid="', f'id="{figure.name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{figure.name}-", text)
    root = ET.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    for metadata in root.findall(f"{svg}metadata"):
        root.remove(metadata)
    groups = {element.get("id"): element for element in root.iter(f"{svg}g")}
    for gid, tips in figure.tips.items():
        group = groups[f"{figure.name}-{gid}"]
        marks = list(group.iter(f"{svg}use")) or [group]
        for mark, tip in zip(marks, tips, strict=True):
            title = ET.Element(f"{svg}title")
            title.text = tip
            mark.insert(0, title)
    for size in ("width", "height"):
        root.attrib.pop(size)  # the page decides
    root.set("role", "img")
    root.set("aria-label", f"{figure.title}. {figure.description}")
    return ET.tostring(root, encoding="unicode")


def correlation(rows: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """Hardware against model, both in cycles. `labels` names each model with its statistics."""
    about = ["suite", "application", "arguments", "model"]
    shown = rows[[*about, "hardware", "low", "high", "simulated", "error"]]
    tips = {
        f"points-{number}": [
            f"{r.application} {r.arguments}, {model}: {r.simulated:,.0f} cycles, {r.error:+.1f} %"
            for r in shown[shown["model"] == model].itertuples()
        ]
        for number, model in enumerate(labels)
    }

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

        ends = np.array([shown[["hardware", "simulated"]].min().min() / 1.6] * 2)
        ends[1] = shown[["hardware", "simulated"]].max().max() * 1.6
        for percent, shade in ((30, "#f1f1f1"), (10, "#dfe6ec")):
            low, high = ends * (1 - percent / 100), ends * (1 + percent / 100)
            axes.fill_between(ends, low, high, color=shade, lw=0, label=f"± {percent} %")
        axes.plot(ends, ends, color="#444444", lw=1)
        for number, (model, label) in enumerate(labels.items()):
            part = shown[shown["model"] == model]
            colour = COLOURS[number % len(COLOURS)]
            points = axes.scatter(
                part["hardware"],
                part["simulated"],
                s=46,
                marker=MARKERS[number % len(MARKERS)],
                color=colour,
                edgecolor="white",
                linewidth=0.7,
                zorder=3,
                label=label,
            )
            points.set_gid(f"points-{number}")
            spread = part[part["low"] < part["high"]]  # of repeated measurements
            axes.hlines(spread["simulated"], spread["low"], spread["high"], colour, lw=1)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(EngFormatter(sep=""))
            axis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="hardware (cycles)", ylabel="simulated (cycles)")
        axes.legend(loc="upper left", fontsize=8)

    return Figure(
        "correlation",
        "Simulated against hardware cycles",
        "Log-log. On the line the model is exact; bands are 10 and 30 percent. "
        + "; ".join(labels.values()),
        shown,
        draw,
        (6.0, 5.6),
        tips,
    )


def ape_curve(rows: pd.DataFrame) -> Figure:
    """Applications sorted by the size of their error, for each model separately."""
    import pandas as pd

    parts = []
    for _, part in rows.groupby("model", sort=False):
        ordered = part.sort_values("ape")[["model", "application", "arguments", "ape"]]
        ranks = 100 * (np.arange(len(ordered)) + 1) / len(ordered)
        parts.append(ordered.assign(percent_of_applications=ranks))
    data = pd.concat(parts, ignore_index=True)
    medians = data.groupby("model", sort=False)["ape"].median()

    def draw(axes: Axes) -> None:
        for number, (model, part) in enumerate(data.groupby("model", sort=False)):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            ranks = part["percent_of_applications"]
            axes.plot(ranks, part["ape"], color=colour, marker=marker, ms=5, label=str(model))
            for quantile, style in ((0.5, ":"), (0.9, "--")):
                axes.axhline(float(part["ape"].quantile(quantile)), color=colour, ls=style, lw=0.9)
        axes.set(xlabel="applications (%), sorted by error", ylabel="absolute error (%)")
        axes.set(xlim=(0, 102), ylim=(0, None))
        place: dict[str, Any] = {
            "loc": "lower left",
            "bbox_to_anchor": (0, 1),
            "ncols": len(medians),
        }
        axes.legend(**place, fontsize=8, title="dotted: median, dashed: p90", title_fontsize=8)

    return Figure(
        "sorted_errors",
        "Sorted absolute errors",
        "Each model's applications from its best to its worst. Median: "
        + ", ".join(f"{model} {median:.1f} %" for model, median in medians.items()),
        data,
        draw,
    )


def signed_bars(rows: pd.DataFrame) -> Figure:
    """Signed error by application, by suite; bars beyond the limit are cut and say their value."""
    data = rows[["suite", "application", "arguments", "model", "error"]].sort_values(
        ["suite", "application", "arguments"], kind="stable"
    )
    models = list(dict.fromkeys(rows["model"]))
    places = list(dict.fromkeys(zip(data["application"], data["arguments"], strict=True)))
    alone = [name for name, _ in places]
    names = [n if alone.count(n) == 1 else f"{n} {arguments}" for n, arguments in places]

    def draw(axes: Axes) -> None:
        height = 0.8 / len(models)
        for number, model in enumerate(models):
            part = data[data["model"] == model]
            pairs = zip(part["application"], part["arguments"], strict=True)
            y = np.array([places.index(pair) for pair in pairs]) + (number + 0.5) * height - 0.4
            error = part["error"].to_numpy(float)
            colour, hatch = COLOURS[number % len(COLOURS)], HATCHES[number % len(HATCHES)]
            shown = error.clip(-ERROR_LIMIT, ERROR_LIMIT)
            style: dict[str, Any] = {"edgecolor": "white", "hatch": hatch, "lw": 0, "label": model}
            axes.barh(y, shown, height * 0.92, color=colour, **style)
            for at, value in zip(y, error, strict=True):
                if abs(value) > ERROR_LIMIT:
                    side = "right" if value > 0 else "left"
                    place = math.copysign(ERROR_LIMIT - 1, value)
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                    axes.text(
                        place, at, f"{value:+.0f}", va="center", ha=side, fontsize=7, bbox=box
                    )
        axes.axvline(0, color="#444444", lw=1)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("error (%): negative, too fast; positive, too slow")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(models), fontsize=8)

    worst: Any = data.iloc[int(data["error"].abs().to_numpy().argmax())]
    return Figure(
        "signed_errors",
        "Signed error by application",
        f"The largest is {worst['error']:+.1f} % for {worst['application']} ({worst['model']}).",
        data,
        draw,
        (6.0, max(3.0, 0.9 + 0.17 * len(models) * len(places))),
    )


def issue_timeline(events: pd.DataFrame, cycles: int = 200) -> Figure:
    """Which warp of the first SM issues when, in the window with most issues; a row a warp."""
    first_sm = events[events["sm"] == events["sm"].min()]
    begin = int((first_sm["issue"] // cycles).mode()[0]) * cycles
    window = first_sm[first_sm["issue"].between(begin, begin + cycles - 1)]
    data = window[["issue", "subcore", "cta", "warp", "pc", "opcode"]]

    def draw(axes: Axes) -> None:
        from .timeline import draw as timeline

        timeline(window, begin, begin + cycles, axes)
        axes.set_xlim(begin, begin + cycles)
        axes.tick_params(axis="y", labelsize=7, length=0)
        axes.set_axisbelow(True)

    return Figure(
        "issue_timeline",
        "Which warp issues when",
        f"{len(data)} instructions of SM {first_sm['sm'].min()} in cycles {begin} to "
        f"{begin + cycles - 1}, the busiest; a colour for each kind of unit.",
        data,
        draw,
        (11.0, max(2.6, 1.0 + 0.17 * len(window.groupby(["cta", "warp"])))),
    )


def sensitivity(effects: pd.DataFrame, axis: str) -> Figure:
    """Speed-up over the values of one parameter; columns `value`, `speedup`, `low`, `high`."""
    values = effects["value"]
    to_scale = values.dtype.kind in "if" and len(values) > MOST_TICKS
    first, best = _plain(values.iloc[0]), int(effects["speedup"].to_numpy().argmax())

    def draw(axes: Axes) -> None:
        x = values if to_scale else range(len(effects))
        axes.fill_between(x, effects["low"], effects["high"], color=COLOURS[0], alpha=0.15, lw=0)
        axes.plot(x, effects["speedup"], color=COLOURS[0], marker="o")
        axes.axhline(1, color="#444444", lw=1)
        if not to_scale:
            axes.set_xticks(x, list(map(_plain, values)))
        axes.set(xlabel=axis, ylabel=f"speed-up over {first}")

    return Figure(
        "sensitivity_" + re.sub(r"\W+", "_", axis),
        f"Sensitivity to {axis}",
        "Geometric mean over kernels; the band spans them. "
        f"Best: {effects['speedup'].iloc[best]:.3f} at {_plain(values.iloc[best])}.",
        effects,
        draw,
        (6.0, 3.4),
    )


def _plain(value: Any) -> str:
    """A parameter's value as people write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tornado(effects: dict[str, pd.DataFrame]) -> Figure:
    """How far each parameter moves the cycles, the strongest on top."""
    import pandas as pd

    data = pd.DataFrame([_span(axis, table) for axis, table in effects.items()])
    data = data.assign(span=data["fastest"] / data["slowest"]).sort_values("span")

    def draw(axes: Axes) -> None:
        y = range(len(data))
        for side, colour, hatch in (("fastest", COLOURS[0], ""), ("slowest", COLOURS[1], "///")):
            change = 100 * (data[side] - 1)
            bars = axes.barh(y, change, color=colour, hatch=hatch, label=f"{side} value")
            moved = change.abs() > 0.05  # percent
            labels = data[f"{side}_value"].where(moved, "")
            axes.bar_label(bars, labels, padding=3, fontsize=8)
        axes.axvline(0, color="#444444", lw=1)
        axes.set_yticks(y, data["parameter"], fontsize=8)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.25)
        axes.set_xlabel("speed-up over the first value (%)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)

    strongest: Any = data.iloc[-1]
    return Figure(
        "tornado",
        "Which parameter matters",
        f"{strongest['parameter']} matters most: {strongest['span']:.3f} between its values.",
        data,
        draw,
        (6.0, max(2.2, 1.0 + 0.4 * len(data))),
    )


def _span(axis: str, effects: pd.DataFrame) -> dict[str, Any]:
    """The two values of a parameter between which all others lie."""
    speedups = dict(zip(effects["value"], effects["speedup"], strict=True))
    slowest, fastest = (end(speedups, key=speedups.__getitem__) for end in (min, max))
    return {
        "parameter": axis,
        "slowest": speedups[slowest],
        "fastest": speedups[fastest],
        "slowest_value": _plain(slowest),
        "fastest_value": _plain(fastest),
    }
