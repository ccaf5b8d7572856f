"""Applications on hardware against runs in a folder."""

import json
from pathlib import Path

import pytest

from warpwise import traces as package
from warpwise.isa.errors import InputError
from warpwise.sim import run
from warpwise.traces import convert as formats
from warpwise.traces import store
from warpwise.traces.handwritten import parse
from warpwise.traces.load import load
from warpwise.validation import validate_hardware
from warpwise.validation.hardware_comparison import DOCUMENT, OURS

KERNELS = Path(package.__file__).parent / "kernels"
HEAD = "application,arguments,kernel,gpu,model,metric,value\n"


def kernel(n):
    return f".arch sm_86\n.kernel chain\n.warm icache\n@repeat {n} FADD R1, R1, R2 ;\nEXIT ;"


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """Two programs: one as a trace, one as a finished run."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "suite/short/n_4").mkdir(parents=True)
    store.write(parse(kernel(4)), folder / "suite/short/n_4/short.warptrace")
    run(parse(kernel(40))).save(folder / "long/n_40")
    return folder


@pytest.fixture
def compare(traces, tmp_path):
    def call(*rows, **options):
        path = tmp_path / "hardware.csv"
        path.write_text(HEAD + "\n".join(rows))
        return validate_hardware(path, **{"traces": traces} | options)

    return call


SHORT, LONG = "short,n_4,,RTX A6000,,cycles,", "long,n_40,,RTX A6000,,cycles,"


@pytest.fixture(scope="module")
def cycles():
    return [run(parse(kernel(n))).cycles for n in (4, 40)]


def test_applications_are_matched_by_folder(compare, cycles):
    report = compare(f"{SHORT}{cycles[0]}", f"{LONG}{cycles[1] / 2}")
    errors = dict(zip(report.frame["application"], report.frame["error"], strict=True))
    assert errors == {"short": 0, "long": pytest.approx(100)}
    assert report.statistics.loc[0, "Average"] == pytest.approx(50)
    assert not report.n_different


@pytest.mark.filterwarnings("ignore:.*no control bits")
def test_a_cubin_restores_what_text_lacks(compare, tmp_path):
    cubin = KERNELS / "saxpy.sm_86.cubin"
    native = load(cubin, KERNELS / "saxpy.toml")
    formats.write(native, tmp_path / "text/saxpy/n/traces/kernelslist.g")
    row = f"saxpy,n,,RTX A6000,,cycles,{run(native).cycles}"
    [bare] = compare(row, traces=tmp_path / "text").frame["error"]
    [whole] = compare(row, traces=tmp_path / "text", cubin=cubin).frame["error"]
    assert bare < whole == 0


def test_a_cubin_needs_traces(compare):
    with pytest.raises(InputError, match=r"a\.cubin: found as the program of traces, but there"):
        compare("saxpy,n,,RTX A6000,,cycles,1000", traces=None, cubin="a.cubin")


def test_a_protobuf_tree_is_an_application(compare, tmp_path):
    pytest.importorskip("google.protobuf")
    cold = parse(kernel(4).replace(".warm icache\n", ""))  # the tree has no warm caches
    formats.write(cold, tmp_path / "suite/short/n_4/traces/dynamic_trace.pb")
    report = compare(f"{SHORT}{run(cold).cycles}", traces=tmp_path / "suite")
    assert report.frame["error"].tolist() == [0]


def test_other_work_is_not_compared(compare, cycles):
    """Five warp-instructions in the trace; 40 FADDs and an EXIT in the other."""
    report = compare(
        f"{SHORT}{cycles[0]}",
        "short,n_4,,RTX A6000,,warp_inst,5",
        f"{LONG}1",
        "long,n_40,,RTX A6000,,warp_inst,42",
    )
    assert report.n_different == 1
    assert "42 warp-instructions measured, 41 in the trace" in str(report)
    assert report.statistics.loc[0, ["Average", "Apps"]].tolist() == [0, 1]


def test_other_kernels_are_other_work(compare):
    report = compare("short,n_4,void scan<4>(int),,,cycles,100")
    assert "launches of scan measured, of chain in the trace" in str(report)


def test_launches_add_up_and_repetitions_do_not(compare, traces):
    row = "short,n_4,chain,RTX A6000,,cycles,"
    frame = compare(f"{row}100", f"{row}200").frame
    assert frame.loc[0, ["hardware", "low", "high"]].tolist() == [150, 100, 200]


def test_published_models_stand_beside_ours(compare, cycles):
    report = compare(f"{SHORT}100", "short,n_4,,RTX A6000,Accel-Sim,cycles,130")
    assert dict(zip(report.frame["model"], report.frame["error"].round(), strict=True)) == {
        "Accel-Sim": 30,
        OURS: round(cycles[0] - 100),
    }


def test_output_is_a_folder_of_traces_again(compare, tmp_path):
    first = compare(f"{SHORT}100", output=tmp_path / "out")
    again = compare(f"{SHORT}100", traces=tmp_path / "out")
    assert again.records() == first.records()
    document = json.loads((tmp_path / "out" / DOCUMENT).read_text())
    assert document == json.loads(json.dumps(first.to_dict()))


def test_a_run_with_other_parameters_is_refused(compare):
    with pytest.raises(InputError, match=r"other parameters.*--set"):
        compare(f"{LONG}100", **{"sm.register_file.read_ports": 2})


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([SHORT.replace("A6000", "2080 Ti") + "1"], {}, "only rows of RTX 2080 Ti"),
        (["short,n_4,,,Accel-Sim,cycles,1"], {}, "no cycles of hardware"),
        (["other,,,,,cycles,1"], {}, "none of the measured applications.*other NO_ARGS"),
        ([SHORT + "1"], {"traces": None}, "no model to compare"),
        ([SHORT + "1"], {"min_cycles": 2}, "no application has both sides"),
        ([SHORT + "1"], {"traces": "nowhere"}, "no such folder"),
    ],
)
def test_nothing_to_compare_is_an_error(compare, rows, options, message):
    with pytest.raises(InputError, match=message):
        compare(*rows, **options)


def test_the_own_table_needs_no_traces():
    """The authors' simulator is closer on the microbenchmarks, as in the paper."""
    means = validate_hardware().statistics.set_index("model")["Average"]
    assert means["authors' simulator"] < means["Accel-Sim"]
    assert means["authors' simulator"] == pytest.approx(9.31, abs=0.01)


def test_every_unmatched_measurement_is_named(compare):
    report = compare(f"{SHORT}100", "other,,,,,cycles,1")
    assert "no trace of 1 measured applications: other NO_ARGS" in report.summary
