"""The native trace file: what is written is what is read, and nothing else is."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traces import golden
from warpwise.isa.errors import InputError
from warpwise.isa.program import Access, Parameter, Program, Relocation
from warpwise.isa.sass import from_text
from warpwise.traces import columns, container, handwritten, store
from warpwise.traces.copies import Copy
from warpwise.traces.kernel import Accesses, Cta, Kernel, Path, Trace, Warp

LINES = (
    "[B------:R-:W-:-:S04] FFMA R1, R2.reuse, R3, R4 ;",
    "[B------:R-:W0:-:S02] LDG.E R2, [R4.64] ;",
    "[B0-----:R1:W-:Y:S01] STS.64 [R8], R2 ;",
    "@!P0 ATOMG.E.ADD PT, R1, [R2.64], R4 ;",
    "@P0 BRA start ;",
    "EXIT ;",
)
COPIES = st.builds(Copy, st.integers(0, (1 << 62) - 1), st.integers(0, (1 << 62) - 1))
COPY = "LDGSTS.E [R0], [R2.64] ;"
BLOCK_EDGE = 32
DICTIONARY = "94738a3a8ac7eae6"  # begin of its SHA-256


@pytest.fixture(autouse=True)
def _blocks_of_few_ctas(monkeypatch):
    monkeypatch.setattr(columns, "BLOCK_CTAS", BLOCK_EDGE)


def program(lines=LINES):
    code = from_text("kernel", "sm_86", lines, {"start": 16})
    return replace(
        code,
        registers=12,
        parameters=(Parameter(0, 8),),
        constants={0: b"\x01\xff", 3: b""},
        global_image=b"\x00\x80",
        relocations=(Relocation(0, "table", 8), Relocation(8, "vprintf")),
    )


def warp(code: Program, pcs, active, executed, draw_address):
    """A warp whose addresses are `draw_address(row)`, shape (32,), where lanes execute."""
    path = Path(*(np.array(column, np.uint32) for column in (pcs, active, executed)))
    accesses = np.array([i.access for i in code.instructions])[path.pcs]
    masks = path.executed[accesses != Access.NONE]
    lanes = (masks[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(bool)
    rows = [draw_address(row) for row in range(len(masks))]
    addresses = np.where(lanes, np.reshape(rows, lanes.shape), 0).astype(np.int64)
    has_copies = any(i.access == Access.ASYNC_COPY for i in code.instructions)
    copies = (accesses == Access.ASYNC_COPY)[accesses != Access.NONE]
    shared = np.where(copies[:, None], addresses // 2, 0)
    return Warp(path, Accesses(addresses, shared if has_copies else shared[:0]))


@st.composite
def row_of_addresses(draw):
    base = draw(st.integers(-(2**63), 2**63 - 1))
    if draw(st.booleans()):
        stride = np.int64(draw(st.integers(-(2**40), 2**40)))
        return np.array(base, np.int64) + stride * np.arange(32)
    return np.random.default_rng(base % 2**32).integers(-(2**63), 2**63 - 1, 32)


@st.composite
def traces(draw):
    masks = st.one_of(st.integers(0, 2**32 - 1), st.just(2**32 - 1))
    kernels = []
    for launch in range(draw(st.integers(1, 2))):
        code = program((*LINES, COPY) if draw(st.booleans()) else LINES)
        grid = draw(st.sampled_from([(1, 1, 1), (3, 2, 1), (1, 1, BLOCK_EDGE + 1)]))
        threads = draw(st.sampled_from([1, 32, 65]))
        pool = []
        for _ in range(draw(st.integers(1, 3))):
            pcs = draw(st.lists(st.integers(0, len(code) - 1), max_size=8))
            active = [draw(masks) for _ in pcs]
            executed = [mask & draw(masks) for mask in active]
            address = draw(row_of_addresses())
            pool.append(warp(code, pcs, active, executed, lambda row, a=address: a + row))
        count = -(-threads // 32)
        kernel = Kernel(
            program=code,
            grid=grid,
            block=(threads, 1, 1),
            load_cta=lambda i, pool=pool, count=count: Cta(
                i, tuple(pool[(i + w) % len(pool)] for w in range(count))
            ),
            launch=launch,
            registers=draw(st.integers(0, 255)),
            shared_bytes=draw(st.integers(0, 1 << 17)),
            warm=draw(st.frozensets(st.sampled_from(["icache", "const", "l1"]))),
            clock_reads=draw(st.booleans()),
            copies=tuple(draw(st.lists(COPIES, max_size=3))),
        )
        kernels.append(kernel)
    return Trace(tuple(kernels), producer="test é")


def columns_of(cta):
    for warp in cta.warps:
        yield from (warp.path.pcs, warp.path.active, warp.path.executed)
        yield from (warp.accesses.addresses, warp.accesses.shared)


def assert_same(found: Trace, expected: Trace):
    assert found.producer == expected.producer
    assert len(found.kernels) == len(expected.kernels)
    for a, b in zip(found.kernels, expected.kernels, strict=True):
        assert replace(a, load_cta=None, hash="").__dict__ == (
            replace(b, load_cta=None, hash="").__dict__
        )
        for i in range(b.n_ctas):
            assert a.load_cta(i).number == i
            pairs = zip(columns_of(a.load_cta(i)), columns_of(b.load_cta(i)), strict=True)
            for x, y in pairs:
                assert x.dtype == y.dtype
                np.testing.assert_array_equal(x, y)


@pytest.fixture
def small(tmp_path):
    """A trace of two kernels that holds every kind of row, and the file it was written to."""
    code = program((*LINES, COPY))
    full = 2**32 - 1
    scattered = np.random.default_rng(1).integers(0, 1 << 40, 32)
    warps = (
        warp(
            code, [0, 1, 2, 6, 6, 5], [full] * 6, [full, full, 7, 0, 3, full], lambda r: scattered
        ),
        warp(code, [1, 5], [255, 255], [254, 255], lambda r: 4096 + 4 * np.arange(32)),
    )
    kernel = Kernel(code, (3, 1, 1), (64, 1, 1), lambda i: Cta(i, warps), warm=frozenset({"l1"}))
    trace = Trace((kernel, replace(kernel, launch=1)), producer="test")
    path = tmp_path / "small.warptrace"
    store.write(trace, path)
    return trace, path


@pytest.fixture
def long(tmp_path):
    """A kernel of several blocks, and its file."""
    code = program()
    warps = (warp(code, [1, 5], [15, 15], [15, 15], lambda r: np.arange(32)),)
    n = 3 * BLOCK_EDGE + 1
    trace = Trace((Kernel(code, (n, 1, 1), (32, 1, 1), lambda i: Cta(i, warps)),))
    path = tmp_path / "long.warptrace"
    store.write(trace, path)
    return trace, path


def read_all(path):
    """Read a trace and everything in it."""
    trace = store.read(path)
    return trace, [k.load_cta(i) for k in trace.kernels for i in range(k.n_ctas)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trace=traces())
def test_what_is_written_is_read(tmp_path, trace):
    path = tmp_path / "trace.warptrace"
    digest = store.write(trace, path)
    found = store.read(path)
    assert found.source == str(path)
    assert {k.hash for k in found.kernels} == {digest}
    assert_same(found, trace)


def test_equal_traces_give_equal_files(small, tmp_path):
    trace, path = small
    again = tmp_path / "again.warptrace"
    store.write(trace, again)
    assert again.read_bytes() == path.read_bytes()
    copied = tmp_path / "copied.warptrace"
    store.write(store.read(path), copied)
    assert copied.read_bytes() == path.read_bytes()


def test_hash_follows_content_and_not_compression(small, tmp_path, monkeypatch):
    trace, path = small
    monkeypatch.setattr(container, "LEVEL", 1)
    other = tmp_path / "other.warptrace"
    assert store.write(trace, other) == store.read(path).hash
    changed = Trace((replace(trace.kernels[0], shared_bytes=1), trace.kernels[1]))
    assert store.write(changed, other) != store.read(path).hash


def test_affine_rows_take_no_room_per_lane(small):
    _, path = small
    found = columns.unpack(store._File(path).block(0))
    assert len(found["list"]) == 32  # the first row; all others are affine or like an earlier one


def test_truncated_anywhere_is_refused(small, tmp_path):
    _, path = small
    whole, part = path.read_bytes(), tmp_path / "part.warptrace"
    for length in range(0, len(whole), 5):
        part.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"part\.warptrace"):
            read_all(part)


@pytest.mark.parametrize("start", range(4))
def test_any_changed_byte_is_refused_or_harmless(small, tmp_path, start):
    trace, path = small
    whole, changed = path.read_bytes(), tmp_path / "changed.warptrace"
    for position in range(start, len(whole), 4):
        data = bytearray(whole)
        data[position] ^= 1 << position // 4 % 8
        changed.write_bytes(data)
        with contextlib.suppress(InputError):
            assert_same(store.read(changed), trace)


def test_only_the_needed_block_is_read(long):
    trace, path = long
    data = bytearray(path.read_bytes())
    last = store._File(path).places[-1]
    data[last.start + last.size // 2] ^= 1
    path.write_bytes(data)
    found = store.read(path)
    for i in range(trace.kernels[0].n_ctas - 1):
        found.kernels[0].load_cta(i)
    with pytest.raises(InputError, match="kernel 0, block 3"):
        found.kernels[0].load_cta(trace.kernels[0].n_ctas - 1)


def test_blocks_share_equal_paths(long):
    kernel = store.read(long[1]).kernels[0]
    first = kernel.load_cta(0)
    assert first.warps[0].path is kernel.load_cta(kernel.n_ctas - 1).warps[0].path


def test_few_blocks_are_kept(long, monkeypatch):
    kernel = store.read(long[1]).kernels[0]
    loads = []
    unpack = store.unpack
    monkeypatch.setattr(store, "unpack", lambda *data: loads.append(1) or unpack(*data))
    monkeypatch.setattr(store, "BLOCKS_KEPT", 2)
    for i in (0, 1, 40, 0, 70, 99 - 3, 0):
        kernel.load_cta(i)
    assert len(loads) == 5


def test_cta_outside_the_grid(small):
    kernel = store.read(small[1]).kernels[0]
    for number in (-1, 3):
        with pytest.raises(IndexError):
            kernel.load_cta(number)


def test_failed_write_leaves_the_old_file_and_nothing_else(small):
    trace, path = small
    before = path.read_bytes()

    def fail(i):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        store.write(Trace((trace.kernels[0], replace(trace.kernels[0], load_cta=fail))), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_folder_that_does_not_exist(small, tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file"):
        store.write(small[0], tmp_path / "absent" / "x.warptrace")


def test_killed_writer_leaves_no_file(tmp_path):
    script = """
import os, signal, sys
from dataclasses import replace
from warpwise.traces import handwritten, store
kernel = handwritten.parse(".arch sm_86\\n.kernel k\\n.grid 100\\nEXIT ;").kernels[0]
load = lambda i: kernel.load_cta(i) if i < 90 else os.kill(os.getpid(), signal.SIGKILL)
store.write(handwritten.Trace((replace(kernel, load_cta=load),)), sys.argv[1])
"""
    path = tmp_path / "killed.warptrace"
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode < 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"executed": np.uint32(0xFF00)}, "not active"),
        ({"addresses": 1}, "does not execute"),
        ({"pcs": np.uint32(50)}, "runs instruction 55 of a program with 6"),
    ],
)
def test_writer_refuses_contradictions(tmp_path, change, message):
    code = program()
    good = warp(code, [1, 5], [255, 255], [15, 255], lambda r: 64 + np.arange(32))
    bad = Warp(
        Path(
            good.path.pcs | change.get("pcs", np.uint32(0)),
            good.path.active,
            good.path.executed | change.get("executed", np.uint32(0)),
        ),
        Accesses(good.accesses.addresses + change.get("addresses", 0), good.accesses.shared),
    )
    kernel = Kernel(code, (1, 1, 1), (32, 1, 1), lambda i: Cta(i, (bad,)))
    with pytest.raises(InputError, match=message):
        store.write(Trace((kernel,)), tmp_path / "bad.warptrace")
    assert not os.listdir(tmp_path)


def forge(path, block=None, head=None, manifest=None):
    """Rewrite a file with some part changed, all digests made to fit."""
    file = store._File(path)
    blocks = [file.block(number) for number in range(len(file.places))]
    record = json.loads(file.manifest.model_dump_json(exclude_defaults=True))
    found = columns.unpack(container.Input(path).head()[-head_columns(path) :], store.HEAD_TYPES)
    if block:
        blocks[0] = columns.pack(block(columns.unpack(blocks[0])))
        digests = b"".join(map(container.digest_of, blocks))
        found = found | {"digest": np.frombuffer(digests, np.uint8)}
    if head:
        found = head(found)
    with open(path, "wb") as stream:
        output = container.Output(stream)
        record["sizes"] = [output.add(data) for data in blocks]
        if manifest:
            manifest(record)
        text = json.dumps(record).encode()
        packed = columns.pack(found, store.HEAD_TYPES)
        output.finish(store.JSON_SIZE.pack(len(text)) + text + packed)


def head_columns(path):
    """How many bytes of a file's head are columns."""
    head = container.Input(path).head()
    return len(head) - store.JSON_SIZE.size - store.JSON_SIZE.unpack_from(head)[0]


def with_last(name, value, place=-1):
    """A change of columns: the last entry of column `name`, or another, becomes `value`."""

    def change(found):
        found[name] = found[name].copy()
        found[name][place] = value
        return found

    return change


def without_last(name):
    def change(found):
        return found | {name: found[name][:-1]}

    return change


BLOCKS = [
    (with_last("pcs", 99), "runs instruction 99"),
    (with_last("skipped", 2**32 - 1, 0), "lane that is not active"),
    (with_last("mask_kind", 1), "entries in column skipped, not"),
    (with_last("mask_kind", 2 * 9), "column mask_kind does not fit"),
    (with_last("warp_path", 2), "names path 2 of 2"),
    (with_last("path_length", 2**31), "path entries found"),
    (with_last("form", 3), "number that is too large"),
    (with_last("shift", 64), "number that is too large"),
    (with_last("form", 1), "found, expected"),
    (with_last("like", 200), "names a row before the first one"),
    (without_last("warp_path"), "5 warps found, expected 6"),
    (without_last("mask_kind"), "found, expected"),
    (without_last("masks"), "does not fit the 1 entries in column masks"),
    (without_last("skipped"), "entries in column skipped, not"),
    (without_last("origin"), "column origin found"),
    (without_last("shift"), "column shift found"),
    (without_last("steady"), "column steady found"),
    (without_last("form"), "entries in column form, not 12"),
    (without_last("base"), "column base found"),
    (without_last("stride"), "column stride found"),
    (without_last("like"), "column like found"),
    (without_last("offset"), "column offset found"),
    (without_last("list"), "column list found"),
    (without_last("shared_form"), "entries in column shared_form, not 3"),
]


@pytest.mark.parametrize(("block", "message"), BLOCKS)
def test_reader_refuses_contradictions(small, block, message):
    forge(small[1], block=block)
    with pytest.raises(InputError, match=message):
        read_all(small[1])


def with_text(old, new):
    """A change of the head's columns: other templates."""

    def change(found):
        text = found["template"].tobytes().replace(old, new)
        return found | {"template": np.frombuffer(text, np.uint8)}

    return change


HEADS = [
    (with_text(b"LDG.E R2", b"MOV R2"), "other accesses in the code of kernel .*record the trace"),
    (with_text(b"R2, [R4", b"R2 [R4"), r"cannot read 'LDG.E R2 \[R4.64\]'"),
    (with_text(b"EXIT\n", b""), "template 6 named, 6 found"),
    (with_last("choice", 99), "template 97 named, 7 found"),
    (with_last("choice", 0, 0), "template -1 named, 7 found"),
    (without_last("choice"), "column bare names more than 6 instructions"),
    (without_last("control"), "6 entries in column control found, expected 7"),
    (with_last("own_control", 9), "instruction 6 has neither control bits nor an encoding"),
    (without_last("bare"), "0 bytes of encodings found, expected 16"),
    (without_last("digest"), "2 sizes and 31 bytes of digests found for 2 blocks"),
]


@pytest.mark.parametrize(("head", "message"), HEADS)
def test_reader_refuses_heads(small, head, message):
    forge(small[1], head=head)
    with pytest.raises(InputError, match=message):
        store.read(small[1])


def set_in_kernel(key, value):
    return lambda record: record["content"]["kernels"][0].update({key: value})


def set_in_program(key, value):
    return lambda record: record["content"]["programs"][0].update({key: value})


MANIFESTS = [
    (lambda r: r.update(producer=9), "producer: Input should be a valid string"),
    (lambda r: r.pop("versions"), "versions: Field required"),
    (lambda r: r.update(other=1), "other: Extra inputs are not permitted"),
    (lambda r: r["sizes"].append(1), "sizes and 32 bytes of digests found for 2 blocks"),
    (set_in_program("size", 8), "code of 7 instructions found, expected more"),
    (lambda r: r["content"]["programs"].clear(), "7 instructions of no program found"),
    (set_in_kernel("grid", [2, 1, 1]), "3 CTAs found, expected 2"),
    (set_in_kernel("grid", [-3, -1, 1]), "greater than or equal to 1"),
    (set_in_kernel("program", 1), "program 1 named, 1 found"),
    (set_in_kernel("warm", ["l2"]), "kernels.0.warm"),
    (set_in_kernel("copies", [[-1, 1]]), "copies.0.0.*greater than or equal to 0"),
    (set_in_kernel("blocks", []), "2 sizes and 32 bytes of digests found for 1 blocks"),
]


@pytest.mark.parametrize(("manifest", "message"), MANIFESTS)
def test_reader_refuses_manifest(small, manifest, message):
    forge(small[1], manifest=manifest)
    with pytest.raises(InputError, match=message):
        read_all(small[1])


def test_messages(small):
    """Word for word, of everything that may be wrong in a file whose digests fit."""
    _, path = small
    whole = path.read_bytes()
    found = {}
    for part, cases in {"block": BLOCKS, "head": HEADS, "manifest": MANIFESTS}.items():
        for number, (change, _) in enumerate(cases):
            path.write_bytes(whole)
            forge(path, **{part: change})
            found[f"{part} {number}"] = golden.message(partial(read_all, path), path.parent)
    golden.compare(golden.DATA / "native/messages.txt", found)


@pytest.mark.parametrize("version", ["1 or 2", "9"])
def test_other_versions_are_named(small, version):
    start = {"1 or 2": b"PK\3\4", "9": b"warptrace 9\n"}[version]
    small[1].write_bytes(start + small[1].read_bytes()[len(start) :])
    with pytest.raises(InputError, match=f"of version {version}, expected 3.*record it again"):
        store.read(small[1])


@pytest.mark.parametrize("size", [1 << 40, container.HEAD_LIMIT + 1])
def test_absurd_size_is_refused_before_anything_is_allocated(small, size):
    frame = bytes.fromhex("28b52ffde0") + size.to_bytes(8, "little")
    trailer = container.TRAILER.pack(len(frame), bytes(16))
    small[1].write_bytes(container.MAGIC + frame + trailer)
    with pytest.raises(InputError, match=f"announces {size} bytes"):
        store.read(small[1])


def test_the_dictionary_is_that_of_the_format():
    """A file says nothing of it: another one would be another version."""
    digest = hashlib.sha256(zstandard.decompress(container.DICTIONARY.read_bytes())).hexdigest()
    assert digest.startswith(DICTIONARY)


def test_other_files_are_named_as_such(tmp_path):
    path = tmp_path / "picture.warptrace"
    path.write_bytes(b"\x89PNG....")
    with pytest.raises(InputError, match=r"not a warptrace: it begins with b'\\x89PNG"):
        store.read(path)
    with pytest.raises(InputError, match="No such file"):
        store.read(tmp_path / "absent.warptrace")
    with pytest.raises(InputError, match="cannot be opened"):
        store.read(tmp_path)


def test_hand_written_kernels_keep_their_flags(tmp_path):
    text = ".arch sm_86\n.kernel k\n.warm icache\nx:\nBRA x ; @trips 3\nEXIT ;"
    trace = handwritten.parse(text)
    store.write(trace, tmp_path / "k.warptrace")
    assert_same(store.read(tmp_path / "k.warptrace"), trace)
