"""What a report shows is what the results say; every plot can be had as a file."""

import io
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from warpwise.isa.errors import InputError
from warpwise.sim.report import figures, sources
from warpwise.sim.report.report_page import page
from warpwise.sim.report.stacks import COLOURS, ORDER
from warpwise.validation import validate_hardware

KINDS = {
    "run": ["first"],
    "runs": ["first", "second"],
    "validation": ["validation"],
    "sweep": ["sweep"],
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=KINDS)
def content(request, folders):
    return sources.read([folders[name] for name in KINDS[request.param]])


def figure(folders, kind, name):
    content = sources.read([folders[folder] for folder in KINDS[kind]])
    return next(figure for figure in content.figures if figure.name == name)


def test_every_state_has_a_colour_of_its_own():
    assert set(COLOURS) == {*ORDER, "idle"}
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_pages_need_nothing_else(content):
    html = page(content)
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.findall(r"@import|url\((?!#)", html)


def test_pages_are_the_same_for_the_same_results(content):
    assert page(content) == page(content)


def test_ids_are_unique_and_references_have_their_targets(content):
    html = page(content)
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', html)) <= set(ids)


def test_every_plot_has_a_text_alternative(content):
    for plot in content.figures:
        root = ET.fromstring(plot.svg())
        assert root.get("role") == "img"
        assert plot.title in root.get("aria-label")


def test_every_plot_saves_pdf_png_and_data(content, tmp_path):
    for plot in content.figures:
        pdf, png, csv = plot.save(tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF")
        assert png.read_bytes().startswith(b"\x89PNG")
        assert list(pd.read_csv(csv).columns) == list(plot.data.columns)
        assert len(pd.read_csv(csv)) == len(plot.data) > 0


def test_points_of_the_correlation_say_what_they_are(folders):
    plot = figure(folders, "validation", "correlation")
    root = ET.fromstring(plot.svg())
    tips = [title.text for title in root.iter(f"{SVG}title")]
    assert len(tips) == len(plot.data) == 12
    assert "MaxFlops NO_ARGS, authors' simulator: 71,376 cycles, +1.9 %" in tips


def test_repeated_measurements_have_a_line_as_long_as_their_spread(tmp_path):
    """Two runs of 900 and 1100 cycles: the point is at 1000, the line from one to the other."""
    rows = ["a,,cycles,900", "a,,cycles,1100", "a,other,cycles,1200"]
    (tmp_path / "hardware.csv").write_text("\n".join(["application,model,metric,value", *rows]))
    validate_hardware(tmp_path / "hardware.csv", output=tmp_path)
    plot = next(p for p in sources.read([tmp_path]).figures if p.name == "correlation")
    points, lines = plot.canvas().axes[0].collections[-2:]
    assert points.get_offsets().tolist() == [[1000, 1200]]
    assert lines.get_segments()[0].tolist() == [[900, 1200], [1100, 1200]]


def test_stack_is_warp_cycles_per_instruction(folders):
    """Two warps of 41 instructions; a stack is as high as their time over what they issued."""
    plot = figure(folders, "run", "cpi_stack")
    kernel = json.loads((folders["first"] / "result.json").read_text())["kernels"][0]
    assert plot.data["selected"].iloc[0] == 1
    height = plot.data.drop(columns="kernel").sum(axis=1).iloc[0]
    assert height == pytest.approx(kernel["statistics"]["warp_cycles"] / 82)


def test_issue_slots_are_all_cycles_of_each_subcore(folders):
    plot = figure(folders, "run", "issue_slots")
    kernel = json.loads((folders["first"] / "result.json").read_text())["kernels"][0]
    cycles = plot.data.set_index("subcore")
    assert cycles.sum(axis=1).tolist() == [kernel["execution_cycles"]] * 4
    assert cycles["selected"].tolist() == [41, 41, 0, 0]
    assert (cycles.loc[2:, "idle"] > 0).all()


def test_instructions_share_all_warp_cycles(folders):
    """Those shown are the costliest, in the order of the code."""
    plot = figure(folders, "run", "instructions")
    shares = plot.canvas().axes[0].containers
    shown = sum(bar.get_width() for part in shares for bar in part)
    by_pc = pd.read_parquet(folders["first"] / "pc.parquet")
    cost = by_pc[list(ORDER)].sum(axis=1)
    assert shown == pytest.approx(100 * cost.nlargest(24).sum() / cost.sum())
    assert plot.data["pc"].is_monotonic_increasing
    assert len(plot.data) == 24


def test_statistics_of_few_kernels_are_explained(folders):
    table = sources.read([folders["first"], folders["second"]]).tables["Statistics"]
    row = table.set_index("name").loc["warp_latency"]
    assert row["unit"] == "cycle/inst"
    assert row["Nsight Compute"].startswith("smsp__average_warp_latency")
    assert row["first: chain"] != row["second: chain"]


def test_difference_is_that_of_the_stacks(folders):
    stack = figure(folders, "runs", "cpi_stack").data.set_index("kernel")
    change = figure(folders, "runs", "cpi_difference").data.set_index("state")["difference"]
    expected = stack.loc["second: chain"] - stack.loc["first: chain"]
    assert change[expected.index].to_numpy() == pytest.approx(expected.to_numpy())
    assert change["no_instruction"] < 0


def test_timeline_is_there_if_events_were_recorded(folders):
    assert len(figure(folders, "run", "issue_timeline").data) > 0
    content = sources.read([folders["second"]])
    assert "issue_timeline" not in [plot.name for plot in content.figures]


def test_sorted_errors_rise(folders):
    for _, part in figure(folders, "validation", "sorted_errors").data.groupby("model"):
        assert part["ape"].is_monotonic_increasing
        assert part["percent_of_applications"].iloc[-1] == 100


def test_sweep_shows_each_axis(folders):
    names = [plot.name for plot in sources.read([folders["sweep"]]).figures]
    assert names == [
        "tornado",
        "sensitivity_sm_stream_buffer_lines",
        "sensitivity_sm_register_file_cache",
    ]
    tornado = figure(folders, "sweep", "tornado").data
    strongest = tornado.iloc[-1]
    assert strongest["parameter"] == "sm.stream_buffer.lines"
    assert (strongest["slowest_value"], strongest["fastest_value"]) == ("0", "8")


def test_effect_is_a_geometric_mean_over_kernels():
    """At B one kernel is twice as fast and another takes four times as long."""
    rows = [("x", "A", 8), ("x", "B", 4), ("y", "A", 10), ("y", "B", 40)]
    frame = pd.DataFrame(rows * 2, columns=["input", "axis", "cycles"]).assign(name="k", launch=0)
    effect = sources.effect(frame, "axis")
    assert list(effect["value"]) == ["A", "B"]
    assert effect.loc[1, ["speedup", "low", "high"]].tolist() == pytest.approx([0.5**0.5, 0.25, 2])
    assert np.array(effect.loc[0, ["speedup", "low", "high"]], float) == pytest.approx(1)


def test_values_are_compared_within_one_design():
    """A grid of four points, and two points in which something else is set as well."""
    rows = [(a, None, 10 * a) for a in (1, 2, 3, 4)] + [(1, "x", 1), (9, "x", 1)]
    frame = pd.DataFrame(rows, columns=["axis", "other", "cycles"])
    frame = frame.assign(input="i", name="k", launch=0)
    chosen = sources._one_design(frame, ["axis", "other"], "axis")
    assert chosen["axis"].tolist() == [1, 2, 3, 4]
    assert len(sources._one_design(frame, ["axis", "other"], "other")) == 2


def test_many_values_are_drawn_to_scale():
    """Ticks of few values are their names."""
    few = pd.DataFrame({"value": [1, 10], "speedup": [1, 2.0], "low": [1, 1.0], "high": [1, 3.0]})
    many = pd.DataFrame({"value": np.arange(20.0) ** 2, "speedup": 1.0, "low": 1.0, "high": 1.0})
    line = figures.sensitivity(few, "a.b").canvas().axes[0].lines[0]
    assert line.get_xdata().tolist() == [0, 1]
    line = figures.sensitivity(many, "a.b").canvas().axes[0].lines[0]
    assert line.get_xdata().tolist() == many["value"].tolist()


def test_markup_in_names_is_text(folders):
    content = sources.read([folders["validation"]])
    content.tables["Applications"].loc[0, "application"] = "<script>alert(1)</script>"
    html = page(content)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize(
    ("names", "files", "message"),
    [
        (["a"], {}, "no results here, expected result.json"),
        (["a"], {"a/result.json": "{"}, "cannot be read as JSON"),
        (["a"], {"a/validation.json": '{"rows": []}'}, "'statistics' is missing"),
        (["a"], {"a/sweep.parquet": "x"}, "cannot be read as Parquet"),
        (["a", "b"], {"a/sweep.parquet": "", "b/sweep.parquet": ""}, "only for runs"),
    ],
)
def test_what_is_no_result(tmp_path, names, files, message):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        sources.read([tmp_path / name for name in names])


def test_tables_show_missing_numbers_as_nothing(folders):
    content = sources.read([folders["validation"]])
    content.tables["Applications"].loc[0, "influence"] = float("nan")
    html = io.StringIO(page(content)).read()
    assert '<td class="number"></td>' in html
