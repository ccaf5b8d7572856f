"""Stacks of warp states and of issue slots, which never share a plot; the same colours in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import IDLE
from ..stalls import STATES
from .figures import HATCHES, Figure
from .timeline_page import STALL_COLOURS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLOURS = {"selected": "#2171b5", **STALL_COLOURS, IDLE: "#f0f0f0"}
# From the bottom of a stack: work, fixed waits, front end, dependences, queues, pipes, the rest.
ORDER = (
    *("selected", "wait", "no_instruction", "branch_resolving", "imc_miss"),
    *("short_scoreboard", "long_scoreboard", "lg_throttle", "mio_throttle"),
    *("math_pipe_throttle", "dispatch_stall", "not_selected"),
    *("barrier", "membar", "drain", "misc"),
)
assert set(ORDER) == set(STATES)
SEEN = 0.002  # share of a plot's longest bar below which a state gets no entry in its legend
MOST_INSTRUCTIONS = 24  # rows of a listing


def _draw(axes: Axes, bars: pd.DataFrame, labels: Sequence[str]) -> None:
    """One horizontal bar a row of `bars`, from columns in their order; each part has a gid."""
    left = np.zeros(len(bars))
    longest = bars.sum(axis=1).max()
    for state in map(str, bars):
        values = bars[state].to_numpy(float)
        shown = values.max() > SEEN * longest
        parts = axes.barh(
            range(len(bars)),
            values,
            min(0.74, 0.2 + 0.2 * len(bars)),
            left,
            color=COLOURS[state],
            edgecolor="white",
            lw=0.6,
            hatch=HATCHES[[*ORDER, IDLE].index(state) % len(HATCHES)],
            hatchcolor=(1, 1, 1, 0.45),
            label=state if shown else f"_{state}",
        )
        for number, part in enumerate(parts):
            part.set_gid(f"bar-{number}-{state}")
        left += values
    axes.set_yticks(range(len(bars)), labels, fontsize=8)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, reverse=True)


def _tips(bars: pd.DataFrame, unit: str) -> dict[str, list[str]]:
    """Hover texts of the parts of all bars."""
    return {
        f"bar-{number}-{state}": [f"{name}: {state} {value:.3g} {unit}"]
        for number, (name, row) in enumerate(bars.iterrows())
        for state, value in row.items()
    }


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that hold anything, from the bottom of a stack to its top."""
    return table[[name for name in (*ORDER, IDLE) if name in table and table[name].any()]]


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _per_instruction(stalls: pd.DataFrame, issued: Sequence[float]) -> pd.DataFrame:
    """Warp-cycles per issued instruction, by state in the order of a stack."""
    return stalls[list(ORDER)].div(np.asarray(issued, float), axis=0)


def cpi_stack(stalls: pd.DataFrame, issued: Sequence[float]) -> Figure:
    """One bar a kernel: `stalls` has warp-cycles by state, `issued` the instructions."""
    bars = _in_order(_per_instruction(stalls, issued))

    def draw(axes: Axes) -> None:
        _draw(axes, bars, [_short(str(name)) for name in bars.index])
        for number, total in enumerate(bars.sum(axis=1)):
            axes.text(total, number, f" {total:.1f}", va="center", fontsize=9)
        axes.margins(x=0.08)
        axes.set_xlabel("warp-cycles per issued instruction")

    return Figure(
        "cpi_stack",
        "What warps wait for",
        "Warp-cycles per issued instruction by warp state. "
        + "; ".join(f"{kernel}: mostly {bars.loc[kernel].idxmax()}" for kernel in bars.index[:6]),
        bars.reset_index(names="kernel"),
        draw,
        (9.2, max(2.9, 1.2 + 0.5 * len(bars))),
        _tips(bars, "cycles per instruction"),
    )


def cpi_difference(stalls: pd.DataFrame, issued: Sequence[float]) -> Figure:
    """By state, what the second of two runs waits more than the first."""
    cpi = _per_instruction(stalls, issued)
    first, second = cpi.index
    change: pd.Series[Any] = cpi.iloc[1] - cpi.iloc[0]
    states = [state for state in ORDER if abs(change[state]) > SEEN * change.abs().max()]

    def draw(axes: Axes) -> None:
        colours = [COLOURS[state] for state in states]
        bars = axes.barh(range(len(states)), change[states], color=colours, edgecolor="#444444")
        axes.bar_label(bars, fmt="%+.2g", padding=3, fontsize=8)
        axes.locator_params(axis="x", nbins=5)
        axes.axvline(0, color="#444444", lw=1)
        axes.set_yticks(range(len(states)), states, fontsize=8)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.2)
        axes.set_xlabel("change in warp-cycles per issued instruction")

    return Figure(
        "cpi_difference",
        f"{_short(second)} minus {_short(first)}",
        f"The total changes by {change.sum():+.3g} warp-cycles per issued instruction.",
        cpi.T.assign(difference=change).reset_index(names="state"),
        draw,
        (6.0, max(2.4, 1.0 + 0.32 * len(states))),
    )


def issue_slots(slots: pd.DataFrame, kernel: str) -> Figure:
    """One bar a sub-core: what each cycle of its scheduler was used for."""
    cycles = _in_order(slots)
    bars = 100 * cycles.div(cycles.sum(axis=1), axis=0)
    labels = [f"sub-core {number}" for number in bars.index]
    used = 100 * cycles.get("selected", cycles.sum(axis=1) * 0).sum() / cycles.to_numpy().sum()

    def draw(axes: Axes) -> None:
        _draw(axes, bars, labels)
        axes.set(xlabel="cycles (%)", xlim=(0, 100))

    return Figure(
        "issue_slots",
        f"What issue slots are used for: {_short(kernel)}",
        f"SM 0 issues in {used:.1f} % of its slots (selected). Any other slot counts as what most "
        "of the sub-core's warps did.",
        cycles.reset_index(names="subcore"),
        draw,
        (9.2, 2.9),
        _tips(bars.set_axis(labels), "% of the cycles"),
    )


def instructions(by_pc: pd.DataFrame, kernel: str) -> Figure:
    """The costliest instructions in the order of the code: a bar each, by what warps did there."""
    states = by_pc[list(STATES)]
    cost = states.sum(axis=1)
    chosen = cost.nlargest(MOST_INSTRUCTIONS).index.sort_values()
    bars = 100 * _in_order(states.loc[chosen]) / cost.sum()
    labels = list(_labels(by_pc.loc[chosen]))

    def draw(axes: Axes) -> None:
        _draw(axes, bars, labels)
        for label in axes.get_yticklabels():
            label.set_fontfamily("monospace")
        axes.set_xlabel("share of all warp-cycles (%)")

    return Figure(
        "instructions",
        f"Where warps wait: {_short(kernel)}",
        f"The {len(bars)} instructions of SM 0 at which warps spend most cycles, "
        f"{bars.to_numpy().sum():.0f} % of all; a cycle counts at the instruction that the warp "
        "issues next.",
        by_pc.loc[chosen, ["pc", "instruction", *bars]],
        draw,
        (9.2, 1.2 + 0.24 * len(bars)),
        _tips(bars.set_axis(labels), "% of all warp-cycles"),
    )


def _labels(rows: pd.DataFrame) -> Iterator[str]:
    """Address and text, as a listing has them."""
    for row in rows.to_dict("records"):
        text: Any = row["instruction"]
        yield f"{row['pc']:04x}  {_short(text, 40)}"
