"""Hardware numbers from tidy tables and from exports of Nsight Compute."""

import sys
from types import SimpleNamespace

import pytest

from warpwise.isa.errors import InputError
from warpwise.validation.hardware_table import normal_gpu, normal_kernel, read

CYCLES, WARP_INST = "gpc__cycles_elapsed.max", "smsp__inst_executed.sum"
RAW = f"""\
==PROF== Connected to process 7 (/home/me/saxpy)
"ID","Process Name","Kernel Name","device__attribute_display_name","{CYCLES}","{WARP_INST}"
"","","","","cycle","inst"
"0","saxpy","saxpy(float, const float *, float *)","NVIDIA RTX A6000","4,220","98,304"
"1","saxpy","saxpy(float, const float *, float *)","NVIDIA RTX A6000","4,100","98,304"
"""
DETAILS = """\
"ID","Process Name","Kernel Name","Section Name","Metric Name","Metric Unit","Metric Value"
"0","saxpy","saxpy","GPU Speed Of Light Throughput","Elapsed Cycles","cycle","4,220"
"0","saxpy","saxpy","GPU Speed Of Light Throughput","DRAM Throughput","%","12.5"
"0","saxpy","saxpy","Compute Workload Analysis","Elapsed Cycles","cycle","4,220"
"0","saxpy","saxpy","Instruction Statistics","Executed Instructions","inst","98,304"
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="hardware.csv", encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
        return path

    return write


def numbers(frame):
    return [(row.application, row.launch, row.metric, row.value) for row in frame.itertuples()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_raw_page(file, encoding):
    frame = read(file(RAW, encoding=encoding))
    assert numbers(frame) == [
        ("saxpy", 0, "cycles", 4220),
        ("saxpy", 0, "warp_inst", 98304),
        ("saxpy", 1, "cycles", 4100),
        ("saxpy", 1, "warp_inst", 98304),
    ]
    assert set(frame["gpu"].map(normal_gpu)) == {"rtx_a6000"}


def test_details_page_counts_a_metric_of_two_sections_once(file):
    frame = read(file(DETAILS))
    assert numbers(frame) == [("saxpy", 0, "cycles", 4220), ("saxpy", 0, "warp_inst", 98304)]


def test_folders_say_application_and_arguments(file, tmp_path):
    file(RAW, "apps/blas/large/ncu.csv")
    frame = read(tmp_path / "apps")
    assert set(zip(frame["application"], frame["arguments"], strict=True)) == {("blas", "large")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("application,metric\na,cycles\n", "line 1: there is no column 'value'"),
        ("application,metric,value,colour\na,cycles,1,red\n", "line 1: column 'colour'"),
        ("application,metric,value\na,cycles,1\na,cycles,fast\n", "line 3: value 'fast'"),
        ("application,metric,value\na,cycles,-1\n", "line 2: value '-1'.*above 0"),
        ("application,metric,value\na,cycles,nan\n", "line 2: value 'nan'"),
        ("application,metric,value\na,cycels,1\n", "line 2: metric 'cycels'"),
        ("application,metric,value\n,cycles,1\n", "line 2: application is empty"),
        ("application,metric,value\na,cycles\n", "line 2: expected 3 cells"),
        ("application,metric,value\na,cycles,1,2\n", "line 2: expected 3 cells"),
        ("application,metric,value\n", "no row"),
        (RAW.replace('"4,100",', ""), "line 5: 5 cells found, expected 6"),
        (RAW.replace("4,100", "n/a"), "line 5: value 'n/a'"),
        (RAW.replace('"cycle"', '"Kcycle"'), "line 3: .*'Kcycle'.*--print-units base"),
        (DETAILS.replace('"inst"', '"Minst"'), "line 5: Executed Instructions in 'Minst'"),
    ],
)
def test_bad_tables_say_where(file, text, message):
    with pytest.raises(InputError, match=message) as error:
        read(file(text))
    assert "hardware.csv" in str(error.value)


def test_binary_and_missing_files(file, tmp_path):
    path = file("")
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(InputError, match="not text"):
        read(path)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.csv")


def test_a_report_without_its_extra_says_how_to_export(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "ncu_report", None)
    with pytest.raises(InputError, match=r"warpwise\[ncu\].*--csv --page raw"):
        read(file("", "saxpy.ncu-rep"))


class Report:
    """Stands for a report of Nsight Compute: two kernels in one range, one in another.

    Reports are made on GPUs only; this has the calls of `ncu_report` that reading one needs.
    """

    class Metric:
        def __init__(self, value):
            self._value = value

        def value(self):
            return self._value

    class Action:
        def __init__(self, kernel, cycles):
            name = "device__attribute_display_name"
            self._kernel = kernel
            self._metrics = {CYCLES: cycles, WARP_INST: 98304.0, name: "NVIDIA RTX A6000"}

        def name(self):
            return self._kernel

        def metric_by_name(self, name):
            return Report.Metric(self._metrics[name]) if name in self._metrics else None

    class Range:
        def __init__(self, *actions):
            self._actions = actions

        def num_actions(self):
            return len(self._actions)

        def action_by_idx(self, number):
            return self._actions[number]

    def __init__(self):
        action = Report.Action
        self._ranges = [
            Report.Range(action("saxpy", 4220.0), action("saxpy", 4100.0)),
            Report.Range(action("scale", 900.0)),
        ]

    def num_ranges(self):
        return len(self._ranges)

    def range_by_idx(self, number):
        return self._ranges[number]


def test_a_report_is_read_like_its_export(file, monkeypatch):
    module = SimpleNamespace(load_report=lambda path: Report())
    monkeypatch.setitem(sys.modules, "ncu_report", module)
    frame = read(file("", "blas.ncu-rep"))
    cycles = frame[frame["metric"] == "cycles"]
    assert numbers(cycles) == [
        ("blas", 0, "cycles", 4220),
        ("blas", 1, "cycles", 4100),
        ("blas", 2, "cycles", 900),
    ]
    assert cycles["kernel"].tolist() == ["saxpy", "saxpy", "scale"]
    assert (frame[frame["metric"] == "warp_inst"]["value"] == 98304).all()
    assert set(frame["gpu"].map(normal_gpu)) == {"rtx_a6000"}


@pytest.mark.parametrize(
    ("stand_in", "real"),
    [
        (Report, "IContext"),
        (Report.Range, "IRange"),
        (Report.Action, "IAction"),
        (Report.Metric, "IMetric"),
    ],
)
def test_the_stand_in_has_calls_of_the_real_module(stand_in, real):
    module = pytest.importorskip("ncu_report")
    calls = {name for name in vars(stand_in) if not name.startswith("_")} - {
        *("Metric", "Action", "Range")
    }
    assert calls
    assert all(callable(getattr(getattr(module, real), name)) for name in calls)


def test_what_is_no_report(file):
    pytest.importorskip("ncu_report")
    with pytest.raises(InputError, match="no kernel launch found"):
        read(file("not a report", "saxpy.ncu-rep"))


@pytest.mark.parametrize(
    "name", ["saxpy", "_Z5saxpyfPKfPf", "saxpy(float, float*)", "void a::saxpy<float, 4>(float)"]
)
def test_spellings_of_a_kernel(name):
    assert normal_kernel(name) == "saxpy"


@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 3080 Ti", "RTX 3080 Ti", "rtx_3080_ti"])
def test_spellings_of_a_gpu(name):
    assert normal_gpu(name) == "rtx_3080_ti"
