"""Which warp issues in which cycle, as the paper's Figure 4 draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


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
    if axes is None:
        from matplotlib import pyplot as plt

        _, axes = plt.subplots(figsize=(10, 1 + 0.3 * len(lanes)))
    axes.barh([place[key] for key in keys], width=1, left=shown["issue"], height=0.8)
    axes.set_yticks(range(len(lanes)), [f"SM{m} S{s} CTA{c} W{w}" for m, s, c, w in lanes])
    axes.set_xlabel("issue cycle")
    return axes
