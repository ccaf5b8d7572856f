"""Accel-Sim's text traces: what is read, what survives a round trip, what is refused."""

import gc
import gzip
import lzma
import weakref
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traces.drawn import MASKS, drawn_kernel, rows

from warpwise.isa.errors import InputError
from warpwise.isa.program import PT
from warpwise.sim import run
from warpwise.traces import accelsim, accelsim_writer, convert, lines
from warpwise.traces.handwritten import parse
from warpwise.traces.kernel import SHARED_WINDOW, Trace
from warpwise.traces.load import load

KERNELS = Path(__file__).parents[2] / "traces/kernels"
HEADER = """-kernel name = copy
-kernel id = 1
-grid dim = (1,1,1)
-block dim = (32,1,1)
-shmem = 256
-nregs = 10
-binary version = 86
-cuda stream id = 0
-shmem base_addr = 0x00007f0000000000
-local mem base_addr = 0x00007f1000000000
-nvbit version = 1.7.1
-accelsim tracer version = {version}
{extra}
#traces format = {extra} PC mask and so on

#BEGIN_TB

thread block = 0,0,0

warp = 0
insts = {count}
"""
BODY = [
    "0010 ffffffff 1 R4 S2R 0 0 ",
    "0020 0000000f 1 R2 LDG.E.CONSTANT 1 R2 4 1 0x7f5a00000000 4 ",
    "0030 000000f0 1 R6 LDG.E.64 1 R2 8 2 0x100 8 -16 64 ",
    "0040 00000005 0 STG.E 2 R4 R7 4 0 0x7f5a40000000 0x7f5a40000080 ",
    "0050 00000000 1 R8 LDS 1 R3 4 1 0x0 0 ",
    "0060 ffffffff 0 EXIT 0 0 ",
]


def text(version=5, lines=BODY, immediate="0 ", leading="", extra=""):
    body = [f"{leading}{line}{immediate}" for line in lines]
    head = HEADER.format(version=version, extra=extra, count=len(body))
    return "\n".join([head + body[0], *body[1:], "", "#END_TB", ""])


def read_text(folder, content, name="kernel-1.traceg"):
    (folder / name).write_text(content)
    return accelsim.read(folder / name)


def addresses(trace, row):
    return trace.kernels[0].load_cta(0).warps[0].accesses.addresses[row].tolist()


@pytest.mark.parametrize(
    ("version", "form"),
    [
        (2, {"immediate": "", "leading": "0 0 0 0 "}),
        (3, {"immediate": ""}),
        (4, {}),
        (5, {}),
        (5, {"leading": "17 ", "extra": "-enable lineinfo = 1"}),
    ],
    ids=["2", "3", "4", "5", "5 with source lines"],
)
def test_every_tracer_version(tmp_path, version, form):
    trace = read_text(tmp_path, text(version, **form))
    [kernel] = trace.kernels
    [warp] = kernel.load_cta(0).warps
    assert warp.path.pcs.tolist() == [1, 2, 3, 4, 5, 6]
    assert warp.path.executed.tolist() == [0xFFFFFFFF, 0xF, 0xF0, 5, 0, 0xFFFFFFFF]
    assert addresses(trace, 0)[:5] == [0x7F5A00000000 + 4 * k for k in range(4)] + [0]
    assert addresses(trace, 1)[4:8] == [0x100, 0x108, 0xF8, 0x138]
    assert addresses(trace, 2)[:4] == [0x7F5A40000000, 0, 0x7F5A40000080, 0]
    assert not any(addresses(trace, 3))
    assert kernel.shared_bytes == 256
    load_64 = kernel.program.instructions[3]
    assert [(d.first, d.count) for d in load_64.dests] == [(6, 2)]
    assert not kernel.program.control_bits


def test_generic_addresses_of_shared_memory_are_moved_to_our_window(tmp_path):
    """The tracer says where the window was; what is not generic or not in it, stays."""
    window, generic = 0x7F0000000000, "0010 00000001 1 R4 LD.E 1 R2 4 1 {:#x} 0 "
    lines = [generic.format(window + 64), generic.format(window - 64)]
    lines += [generic.format(window + 128).replace("LD.E", "LDG.E"), BODY[-1]]
    trace = read_text(tmp_path, text(lines=lines))
    found = [addresses(trace, row)[0] for row in range(3)]
    assert found == [SHARED_WINDOW + 64, window - 64, window + 128]


def test_without_control_bits_scoreboards_rule(tmp_path):
    trace = read_text(tmp_path, text())
    with pytest.warns(UserWarning, match="no control bits"):
        assert run(trace, sms=1).kernels[0].scoreboards


def test_a_copy_has_two_lines(tmp_path):
    """Where LDGSTS writes comes first, then where it reads."""
    copy = "0010 00000003 0 LDGSTS.E.BYPASS.128 2 R4 R2 16 1 {} 16 "
    lines = [copy.format("0x40"), copy.format("0x7f5a00000000"), BODY[-1]]
    [warp] = read_text(tmp_path, text(lines=lines)).kernels[0].load_cta(0).warps
    assert warp.path.pcs.tolist() == [1, 6]
    assert warp.accesses.shared[0, :3].tolist() == [0x40, 0x50, 0]
    assert warp.accesses.addresses[0, :3].tolist() == [0x7F5A00000000, 0x7F5A00000010, 0]
    with pytest.raises(InputError, match="expected two"):
        read_text(tmp_path, text(lines=[lines[0], BODY[-1]]))


def test_a_list_names_its_kernels(tmp_path):
    for suffix, compress in (("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)):
        (tmp_path / f"kernel-1.traceg{suffix}").write_bytes(compress(text().encode()))
    packed = zstandard.ZstdCompressor().compress(text().encode())
    (tmp_path / "kernel-1.traceg.zst").write_bytes(packed)
    names = [f"kernel-1.traceg{suffix}\n" for suffix in ("", ".gz", ".xz", ".zst")]
    listed = tmp_path / "kernelslist.g"
    listed.write_text("MemcpyHtoD,0x00007f5a00000000,1048576\n\n" + "".join(names))
    trace = load(listed)
    assert [k.launch for k in trace.kernels] == [0, 1, 2, 3]
    assert [k.copies for k in trace.kernels] == [((0x7F5A00000000, 1 << 20),), (), (), ()]
    assert all(k.program == trace.kernels[0].program for k in trace.kernels)
    listed.write_text("kernel-1/../../secret.traceg\n")
    with pytest.raises(InputError, match="same folder"):
        load(listed)


def test_functions_that_share_their_pcs(tmp_path):
    """What differs from earlier code at its PC has a place behind all that code."""
    called = ["0020 0000000f 1 R9 IADD3 3 R9 R4 R5 0 ", "0030 0000000f 0 RET.ABS.NODEC 1 R20 0 "]
    trace = read_text(tmp_path, text(lines=[*BODY[:2], *called, *BODY[2:]]))
    [kernel] = trace.kernels
    pcs = kernel.load_cta(0).warps[0].path.pcs.tolist()
    assert pcs == [1, 2, 7, 3, 8, 4, 5, 6]
    names = [kernel.program.instructions[pc].opcode for pc in pcs]
    assert names == ["S2R", "LDG", "IADD3", "RET", "LDG", "STG", "LDS", "EXIT"]
    assert [inst.pc // 16 for inst in kernel.program.instructions] == list(range(9))


def test_functions_that_share_a_pc_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(accelsim, "FUNCTIONS", 3)
    lines = [f"0010 ffffffff 1 R{n} MOV 1 R9 0 " for n in range(4)]
    assert read_text(tmp_path, text(lines=lines[:3])).kernels
    with pytest.raises(InputError, match="over 3 functions found at PC 0010"):
        read_text(tmp_path, text(lines=lines))


@pytest.mark.parametrize("target", ["kernelslist.g", "dynamic_trace.pb"])
def test_paths_are_shared_and_not_kept(tmp_path, target):
    """A long trace may have any number of them."""
    if target == "dynamic_trace.pb":
        pytest.importorskip("google.protobuf")
    ctas = parse(".arch sm_86\n.kernel k\n.grid 3\nNOP ;\nEXIT ;")
    convert.write(ctas, tmp_path / target)
    [kernel] = load(tmp_path / target).kernels
    first, second = (kernel.load_cta(number).warps[0].path for number in (0, 1))
    assert first is second
    kept = weakref.ref(first)
    del first, second
    assert kept() is None


def test_predicates_are_guessed(tmp_path):
    """Comparisons write P0; what fewer lanes execute than the line above it reads it."""
    lines = [
        "0010 ffffffff 0 ISETP.GE.AND 2 R2 R3 0 ",
        "0020 0000ffff 0 EXIT 0 0 ",
        "0030 ffff0000 1 R4 IADD3 3 R4 R5 R6 0 ",
        "0040 00000000 0 BRA 0 0 ",
        "0050 ffff0000 0 EXIT 0 0 ",
    ]
    [kernel] = read_text(tmp_path, text(lines=lines)).kernels
    _, compare, leave, add, branch, end = kernel.program.instructions
    assert compare.dest_predicates == (0,)
    assert [inst.guard for inst in (leave, add, branch, end)] == [0, PT, 0, PT]


def test_lines_and_bombs_are_bounded(tmp_path):
    """A gigabyte of blanks in a megabyte is one long line."""
    bomb = zstandard.ZstdCompressor().compress(b" " * (1 << 28))
    (tmp_path / "kernel-1.traceg.zst").write_bytes(bomb)
    with pytest.raises(InputError, match="a line of over"):
        accelsim.read(tmp_path / "kernel-1.traceg.zst")


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_all_files_are_closed(tmp_path, monkeypatch, suffix):
    """Also where no more is read than the last CTA's line."""
    opened, open_file = [], lines._open
    monkeypatch.setattr(lines, "_open", lambda path: opened.append(open_file(path)) or opened[-1])
    path = tmp_path / "kernelslist.g"
    convert.write(
        load(KERNELS / "matmul.sm_86.cubin", launch=KERNELS / "matmul.toml"), path, suffix
    )
    [kernel] = load(path, cubin=KERNELS / "matmul.sm_86.cubin").kernels
    for number in range(kernel.n_ctas):
        kernel.load_cta(number)
    del kernel
    gc.collect()
    assert len(opened) > 2
    assert all(stream.closed for stream in opened)


def test_a_decompressor_takes_bounded_memory(tmp_path):
    """An .xz that asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(text().encode()))
    data[16] = 40  # the dictionary's size, in the header of the first block
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    (tmp_path / "kernel-1.traceg.xz").write_bytes(data)
    with pytest.raises(InputError, match=r"[Mm]emory usage limit"):
        accelsim.read(tmp_path / "kernel-1.traceg.xz")


@pytest.mark.parametrize(
    "name", ["../kernel-1.traceg", "kernel-1/../../secret.traceg", "kernel/x", "kernel-\0.traceg"]
)
def test_a_list_names_files_beside_it(tmp_path, name):
    (tmp_path / "kernelslist.g").write_text(f"kernel-1.traceg\n{name}\n")
    (tmp_path / "kernel-1.traceg").write_text(text())
    if name.startswith("kernel"):
        with pytest.raises(InputError, match="expected a file in the same folder"):
            load(tmp_path / "kernelslist.g")
    else:  # not a kernel's line at all
        assert len(load(tmp_path / "kernelslist.g").kernels) == 1


COPIES = ["MemcpyHtoD,0x00007f5a00000000,512", "MemcpyHtoD,0x00007f5a00000400,1024"]


def test_copies_change_the_hash_and_survive(tmp_path):
    """Also those before a launch that is left out, and none behind the last one."""
    (tmp_path / "kernel-1.traceg").write_text(text())
    listed = tmp_path / "kernelslist.g"
    lines = [COPIES[0], "kernel-1.traceg", "MemcpyDtoH,0x0,4", COPIES[1], "kernel-1.traceg"]
    listed.write_text("\n".join([*lines, COPIES[0]]))
    trace = load(listed)
    first, second = (0x7F5A00000000, 512), (0x7F5A00000400, 1024)
    assert [k.copies for k in trace.kernels] == [(first,), (second,)]
    assert [k.copies for k in load(listed, launches=range(1, 2)).kernels] == [(first, second)]
    accelsim_writer.write(trace, tmp_path / "again/kernelslist.g")
    assert (tmp_path / "again/kernelslist.g").read_text().split() == [
        *(lines[0], "kernel-1.traceg", lines[3], "kernel-2.traceg")
    ]
    listed.write_text("kernel-1.traceg\nkernel-1.traceg\n")
    assert load(listed).hash != trace.hash


@pytest.mark.parametrize(
    "line",
    ["MemcpyHtoD,0x10", "MemcpyHtoD,10,4", "MemcpyHtoD,0x10,-4", "MemcpyHtoD,0x4000000000000000,1"],
)
def test_a_copy_that_is_none_is_refused(tmp_path, line):
    (tmp_path / "kernelslist.g").write_text(f"kernel-1.traceg\n{line}\n")
    message = f"kernelslist.g:2: '{line}' found, expected MemcpyHtoD,0xADDRESS,BYTES within 62 bits"
    with pytest.raises(InputError, match=message):
        load(tmp_path / "kernelslist.g")


def test_filters_come_before_files(tmp_path):
    """Behind its header, a kernel that is not asked for may be anything."""
    (tmp_path / "kernel-1.traceg").write_text(text())
    other = text().replace("= copy", "= other").replace("insts = 6", "insts = 0")
    (tmp_path / "kernel-2.traceg").write_text(other)
    (tmp_path / "kernelslist.g").write_text("kernel-1.traceg\nkernel-2.traceg\n")
    assert [k.name for k in load(tmp_path / "kernelslist.g", kernel="co*").kernels] == ["copy"]
    with pytest.raises(InputError, match="only these are there: copy, other"):
        load(tmp_path / "kernelslist.g", kernel="third")


# Round trips


@pytest.mark.parametrize("name", ["saxpy", "matmul", "reduction", "collatz"])
def test_with_the_cubin_the_cycles_are_those_of_the_native_trace(tmp_path, name):
    cubin = KERNELS / f"{name}.sm_86.cubin"
    native = load(cubin, KERNELS / f"{name}.toml")
    accelsim_writer.write(native, tmp_path / "kernelslist.g", ".zst")
    read = load(tmp_path / "kernelslist.g", cubin=cubin)
    assert run(read, sms=8).cycles == run(native, sms=8).cycles


def test_another_program_is_refused(tmp_path):
    native = load(KERNELS / "saxpy.sm_86.cubin", KERNELS / "saxpy.toml")
    accelsim_writer.write(native, tmp_path / "kernelslist.g")
    with pytest.raises(InputError, match="where the program has"):
        load(tmp_path / "kernelslist.g", cubin=KERNELS / "saxpy.sm_75.cubin")
    with pytest.raises(InputError, match="saxpy is not in the cubin, which has matmul"):
        load(tmp_path / "kernelslist.g", cubin=KERNELS / "matmul.sm_86.cubin")


ROWS = rows(0, (1 << 48) - 1)
CODE = """.arch sm_86
.kernel drawn
LDG.E R4, [R2.64] ;
STS.64 [R8], R10 ;
LDGSTS.E.128 [R12], [R14.64] ;
IADD3 R5, R4, R6, RZ ;
EXIT ;
"""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), MASKS, ROWS, ROWS), min_size=1, max_size=12))
def test_masks_and_addresses_survive(tmp_path, steps):
    """Any masks, any addresses: the same after writing and reading."""
    kernel = drawn_kernel(CODE, [(pc, mask, mask, *two) for pc, mask, *two in steps])
    [warp] = kernel.load_cta(0).warps
    accelsim_writer.write(Trace((kernel,)), tmp_path / "kernelslist.g")
    [read] = load(tmp_path / "kernelslist.g").kernels[0].load_cta(0).warps
    assert (read.path.pcs == warp.path.pcs).all()
    assert (read.path.executed == warp.path.executed).all()
    assert (read.accesses.addresses == warp.accesses.addresses).all()
    if read.accesses.shared.size:
        assert (read.accesses.shared == warp.accesses.shared).all()
