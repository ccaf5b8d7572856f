"""The native trace file: what is written is what is read, and nothing else is."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traces import golden
from warpwise.isa.errors import InputError
from warpwise.isa.program import Access, Parameter, Program, Relocation
from warpwise.isa.sass import from_text
from warpwise.traces import blocks, code_model, container, entropy, handwritten, static_code, store
from warpwise.traces import head as heads
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
DICTIONARY = "79f823604b95cb75"  # begin of its SHA-256


@pytest.fixture(autouse=True)
def _blocks_of_few_ctas(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_CTAS", BLOCK_EDGE)


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


def test_hash_follows_content_and_not_who_wrote_it(small, tmp_path):
    trace, path = small
    other = tmp_path / "other.warptrace"
    assert store.write(replace(trace, producer="another"), other) == store.read(path).hash
    assert other.read_bytes() != path.read_bytes()
    changed = Trace((replace(trace.kernels[0], shared_bytes=1), trace.kernels[1]))
    assert store.write(changed, other) != store.read(path).hash


def test_launches_share_a_block(small):
    """Also launches of different programs, and a CTA of the second needs no other block."""
    trace, path = small
    other = replace(trace.kernels[0], program=program(), load_cta=bare_cta, block=(32, 1, 1))
    store.write(Trace((*trace.kernels, other)), path)
    file = store._File(path)
    assert len(file.places) == 1
    assert [part.ctas for part in file._parts(0)] == [3, 3, 3]
    np.testing.assert_array_equal(
        store.read(path).kernels[2].load_cta(1).warps[0].accesses.addresses,
        bare_cta(1).warps[0].accesses.addresses,
    )


def bare_cta(number):
    """Of a program without LDGSTS."""
    rows = warp(program(), [1, 5], [3, 3], [3, 3], lambda r: 512 * number + np.arange(32))
    return Cta(number, (rows,))


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
    with pytest.raises(InputError, match="block 3"):
        found.kernels[0].load_cta(trace.kernels[0].n_ctas - 1)


def test_blocks_share_equal_paths(long):
    kernel = store.read(long[1]).kernels[0]
    first = kernel.load_cta(0)
    assert first.warps[0].path is kernel.load_cta(kernel.n_ctas - 1).warps[0].path


def test_few_blocks_are_kept(long, monkeypatch):
    kernel = store.read(long[1]).kernels[0]
    loads = []
    block = store.Block
    monkeypatch.setattr(store, "Block", lambda *data: loads.append(1) or block(*data))
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


def test_an_ldgsts_needs_both_addresses(tmp_path):
    code = program((COPY, "EXIT ;"))
    good = warp(code, [0, 1], [3, 3], [3, 3], lambda r: 64 + np.arange(32))
    bad = Warp(good.path, Accesses(good.accesses.addresses, good.accesses.shared[:0]))
    kernel = Kernel(code, (1, 1, 1), (32, 1, 1), lambda i: Cta(i, (bad,)))
    with pytest.raises(InputError, match="an LDGSTS has no shared addresses"):
        store.write(Trace((kernel,)), tmp_path / "bad.warptrace")


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
    file, found = store._File(path), heads.unpack(container.Input(path).head())
    data = [file._input.block(place) for place in file.places]
    if block:
        data[0] = block(data[0])
        found.digests[0] = list(container.digest_of(data[0]))
        found.blocks[0, 0] = len(data[0])
    if head:
        found = head(found)
    if manifest:
        record = json.loads(found.text.tobytes())
        manifest(record)
        found = found._replace(text=np.frombuffer(bytearray(json.dumps(record).encode()), np.uint8))
    with open(path, "wb") as stream:
        output = container.Output(stream)
        for part in data:
            output.add(part)
        output.finish(heads.pack(found))


def another(lanes, steps):
    """A block of the small trace's shape whose warps all do this, with longer code."""
    longer = program((*LINES, *[COPY] * 9))
    masks = [lanes] * len(steps)
    cta = Cta(0, (warp(longer, steps, masks, masks, lambda row: np.arange(32)),) * 2)
    builder = blocks.Builder()
    for _ in range(6):
        builder.add(cta, blocks.Layout.of(longer), 2)
    return builder.encoded()


BLOCKS = [
    (lambda data: another(1, [9, 12, 12]), "a path leaves its program"),
    (lambda data: data + b"\0", r"\d+ bytes found, expected \d+"),
    (lambda data: data[:-1], "a row of addresses is like one that is not there"),
    (lambda data: b"", "begins with b'', expected"),
    (lambda data: b"\x11" + data[1:], r"begins with b'\\x11', expected a byte of range\(12, 17\)"),
]


def test_any_bytes_are_a_block_or_refused(small):
    """Whatever they decode to is within its bounds."""
    trace, _ = small
    parts = [blocks.Part(blocks.Layout.of(trace.kernels[0].program), 2, 6)]
    random, found = np.random.default_rng(1), Counter()
    for size in [*random.integers(1, 20, 1000), *random.integers(20, 300, 1000)]:
        try:
            block = blocks.Block(b"\x0c" + random.bytes(size), parts, {})
        except InputError as error:
            found[" ".join(word for word in str(error).split() if word.isalpha())] += 1
        else:
            found[""] += 1
            for path in (warp.path for k in range(6) for warp in block.cta(k, k).warps):
                assert (path.pcs < 7).all()
                assert not (path.executed & ~path.active).any()
    assert found.keys() == {
        "",
        "a path leaves its or names lanes that are not known",
        "a row of addresses is like one that is not there",
        "bytes expected",
        "rows of addresses expected at most",
        "path entries expected at most",
    }


@pytest.mark.slow
def test_what_bytes_decode_to_is_looked_up_within_bounds():
    """Compiled code does not check its indices; here it does."""
    name = f"{__file__}::{test_any_bytes_are_a_block_or_refused.__name__}"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", name],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"},
        cwd=os.path.dirname(__file__),
        check=True,
    )


def test_a_path_belongs_to_one_program():
    """Both warps of a block take the first path, but the second one has another program."""
    builder, layout = blocks.Builder(), blocks.Layout.of(program())
    for number in range(2):
        builder.add(bare_cta(number), layout, 1)
    parts = [blocks.Part(layout, 1, 1), blocks.Part(blocks.Layout.of(program()), 1, 1)]
    with pytest.raises(InputError, match="warps of two programs take the same path"):
        blocks.Block(builder.encoded(), parts, {})


def test_rows_of_a_block_are_bounded(small, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_LIMIT", 3)
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 3)
    with pytest.raises(InputError, match="42 rows of addresses found, expected at most 12"):
        read_all(small[1])


def with_code(**changes):
    """A change of the head's code: each column by a function of the old one."""

    def change(found):
        new = {name: each(getattr(found.code, name)) for name, each in changes.items()}
        return found._replace(code=found.code._replace(**new))

    return change


def with_text(old, new):
    """Other templates."""

    def change(templates):
        return np.frombuffer(bytearray(templates.tobytes().replace(old, new)), np.uint8)

    return with_code(templates=change)


def put(value, place=-1):
    """One entry becomes another."""

    def change(column):
        column[place] = value
        return column

    return change


def with_table(name, place, value):
    """A change of a number in one of the head's tables."""

    def change(found):
        getattr(found, name)[place] = value
        return found

    return change


def without_control(found):
    """The last instruction has neither an encoding nor control bits of its own."""
    return with_code(flags=put(static_code.BARE), control=lambda column: column[:-1])(found)


HEADS = [
    (with_text(b"LDG.E R2", b"MOV R2"), "other accesses in the code of kernel .*record the trace"),
    (with_text(b"R2, [R4", b"R2 [R4"), r"cannot read 'LDG.E R2 \[R4.64\]'"),
    (with_text(b"EXIT\n", b""), "template 6 named, 6 found"),
    (with_code(choices=put(99)), "template 97 named, 7 found"),
    (with_code(choices=put(0, 0)), "template -1 named, 7 found"),
    (without_control, "neither control bits nor an encoding"),
    (with_table("launches", (0, 1), 2), "6 CTAs found, expected 5"),
    (with_table("launches", (0, 1), -3), "launches.0.grid.0: .*greater than or equal to 1"),
    (with_table("launches", (1, 0), 1), "program 1 named, 1 found"),
    (with_table("launches", (1, 10), 64), "launches.1.flags: .*less than 32"),
    (with_table("launches", (1, 11), 1), "1 copies found, expected 0"),
    (with_table("launches", (0, 4), 1 << 30), "warps found, expected at most"),
    (with_table("blocks", (0, 1), 5), "5 CTAs found, expected 6"),
    (with_table("blocks", (0, 0), -1), "blocks.0.0: .*greater than or equal to 0"),
    (lambda found: found._replace(copies=np.array([[-1, 1]])), "copies.0.0: .*or equal to 0"),
]


def set_in_program(key, value):
    return lambda record: record["programs"][0].update({key: value})


MANIFESTS = [
    (lambda r: r.update(producer=9), "producer: Input should be a valid string"),
    (lambda r: r.pop("programs"), "programs: Field required"),
    (lambda r: r.update(other=1), "other: Extra inputs are not permitted"),
    (set_in_program("size", 8), "code of 7 instructions found, expected more"),
    (lambda r: r["programs"].clear(), "7 instructions of no program found"),
]


CASES = {"block": BLOCKS, "head": HEADS, "manifest": MANIFESTS}


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [(part, *case) for part, cases in CASES.items() for case in cases],
)
def test_reader_refuses(small, part, change, message):
    forge(small[1], **{part: change})
    with pytest.raises(InputError, match=message):
        read_all(small[1])


def test_messages(small):
    """Word for word, of everything that may be wrong in a file whose digests fit."""
    _, path = small
    whole = path.read_bytes()
    found = {}
    for part, cases in CASES.items():
        for number, (change, _) in enumerate(cases):
            path.write_bytes(whole)
            forge(path, **{part: change})
            found[f"{part} {number}"] = golden.message(partial(read_all, path), path.parent)
    golden.compare(golden.DATA / "native/messages.txt", found)


@pytest.mark.parametrize("version", ["1 or 2", "3", "9"])
def test_other_versions_are_named(small, version):
    start = {"1 or 2": b"PK\3\4"}.get(version, f"warptrace {version}\n".encode())
    small[1].write_bytes(start + small[1].read_bytes()[len(start) :])
    with pytest.raises(InputError, match=f"of version {version}, expected 4.*record it again"):
        store.read(small[1])


@pytest.mark.parametrize("size", [1 << 40, static_code.COUNT_LIMIT + 1, -1])
@pytest.mark.parametrize("place", range(4))
def test_absurd_size_is_refused_before_anything_is_allocated(small, size, place):
    sizes = np.zeros(4, np.int64)
    sizes[place] = size
    data = entropy.encoded(
        lambda coder: code_model.code_numbers(coder, sizes), heads.known().memory
    )
    trailer = container.TRAILER.pack(len(data), container.digest_of(data))
    small[1].write_bytes(container.MAGIC + data + trailer)
    with pytest.raises(InputError, match=f"{size}.*expected at most {static_code.COUNT_LIMIT}"):
        store.read(small[1])


def test_the_dictionary_is_that_of_the_format():
    """A file says nothing of it, nor of the coder: others would be another version."""
    digest = hashlib.sha256(heads.DICTIONARY.read_bytes()).hexdigest()
    assert digest.startswith(DICTIONARY)
    assert len(heads.known().heads) == 22
    assert heads.dictionary_of(heads.known().heads) == heads.DICTIONARY.read_bytes()


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
