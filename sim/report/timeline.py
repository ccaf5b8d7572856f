"""Which warp issues in which cycle, as the paper's Figure 4 draws it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ...isa.opcodes import lookup
from ...isa.program import Unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# Kinds of units that readers tell apart, in colours that colour-blind readers do.
KINDS = {
    "integer": ("#0072b2", (Unit.ALU, Unit.UNIFORM)),
    "multiply-add": ("#56b4e9", (Unit.FMA, Unit.FMA_HEAVY, Unit.FP16)),
    "tensor, FP64, special": ("#e69f00", (Unit.TENSOR, Unit.FP64, Unit.XU)),
    "memory": ("#d55e00", (Unit.MEMORY,)),
    "control": ("#777777", (Unit.BRANCH, Unit.MISC, Unit.CLOCK)),
}

BOX = np.array([(0, -0.4), (1, -0.4), (1, 0.4), (0, 0.4)])  # around a cycle and its lane


@cache
def _unit(opcode: str) -> Unit:
    base, *modifiers = opcode.split(".")
    return lookup(base, modifiers).unit


def draw(
    events: pd.DataFrame, first: int = 0, last: int | None = None, axes: Axes | None = None
) -> Axes:
    """One lane a warp, one mark an issue, for issue cycles first..last; on new axes or on these."""
    shown = events[events["issue"] >= first]
    if last is not None:
        shown = shown[shown["issue"] <= last]
    keys = list(zip(shown["sm"], shown["subcore"], shown["cta"], shown["warp"], strict=True))
    lanes = sorted(set(keys))
    place = {lane: k for k, lane in enumerate(lanes)}
    from matplotlib.collections import PolyCollection

    if axes is None:
        from matplotlib import pyplot as plt

        _, axes = plt.subplots(figsize=(10, 1 + 0.3 * len(lanes)))
    units = shown["opcode"].map(_unit)
    corners = np.column_stack([shown["issue"], [place[key] for key in keys]])[:, None] + BOX
    for kind, (colour, members) in KINDS.items():
        chosen = units.isin(members).to_numpy()
        if chosen.any():
            axes.add_collection(PolyCollection(list(corners[chosen]), facecolor=colour, label=kind))
    axes.autoscale_view()
    several = len({sm for sm, *_ in lanes}) > 1
    labels = [f"{f'SM{m} ' * several}S{s} CTA{c} W{w}" for m, s, c, w in lanes]
    axes.set_yticks(range(len(lanes)), labels)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlabel("issue cycle")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(KINDS), fontsize=8)
    return axes
