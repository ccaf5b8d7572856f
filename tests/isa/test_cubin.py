"""Cubins of `data/sample.cu`: what the loader finds is what the compiler's files say."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from warpwise.isa import control_bits, cubin, nvdisasm, sass
from warpwise.isa.elf import Binary
from warpwise.isa.errors import InputError
from warpwise.isa.program import Parameter

DATA = Path(__file__).parent / "data"
SAXPY = "_Z5saxpyifPKfPf"
MIXED = "_Z5mixedPiPyP7__half2"
DOUBLES = "_Z7doublesPdPKxi"

try:
    nvdisasm.find()
except InputError as missing:
    without_nvdisasm = str(missing)
else:
    without_nvdisasm = ""
needs_nvdisasm = pytest.mark.skipif(bool(without_nvdisasm), reason=without_nvdisasm)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "disassemblies"


@pytest.fixture(params=["sm_75", "sm_86"])
def arch(request):
    return request.param


@pytest.fixture
def sample(arch):
    return DATA / f"sample_{arch}.cubin"


def changed(path, tmp_path, offset, data):
    """A copy of a file with some bytes replaced."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    copy = tmp_path / "changed.cubin"
    copy.write_bytes(content)
    return copy


# ---- programs ------------------------------------------------------------------------------------


@needs_nvdisasm
def test_every_kernel_is_loaded(sample, arch):
    programs = cubin.load(sample)
    assert set(programs) == {SAXPY, MIXED, DOUBLES}
    for program in programs.values():
        assert program.arch == arch
        assert [i.pc for i in program.instructions] == list(range(0, 16 * len(program), 16))
        assert all(inst.known for inst in program.instructions)
        assert program.instructions[-1].opcode == "NOP"  # the alignment stays


@needs_nvdisasm
def test_saxpy_of_ampere_line_by_line():
    program = cubin.load(DATA / "sample_sm_86.cubin", "saxpy")[SAXPY]
    lines = [f"{control_bits.format(i.control)} {i.text}" for i in program.instructions[:16]]
    assert lines == [
        "[B------:R-:W-:-:S02] MOV R1, c[0x0][0x28]",
        "[B------:R-:W0:-:S04] S2R R4, SR_CTAID.X",
        "[B------:R-:W0:-:S02] S2R R3, SR_TID.X",
        "[B0-----:R-:W-:Y:S05] IMAD R4, R4, c[0x0][0x0], R3",
        "[B------:R-:W-:Y:S13] ISETP.GE.AND P0, PT, R4, c[0x0][0x160], PT",
        "[B------:R-:W-:-:S05] @P0 EXIT",
        "[B------:R-:W-:-:S01] MOV R5, 0x4",
        "[B------:R-:W-:Y:S04] ULDC.64 UR4, c[0x0][0x118]",
        "[B------:R-:W-:Y:S04] IMAD.WIDE R2, R4, R5, c[0x0][0x168]",
        "[B------:R-:W-:-:S02] IMAD.WIDE R4, R4, R5, c[0x0][0x170]",
        "[B------:R-:W2:-:S04] LDG.E R2, [R2.64]",
        "[B------:R-:W2:-:S02] LDG.E R7, [R4.64]",
        "[B--2---:R-:W-:Y:S05] FFMA R7, R2, c[0x0][0x164], R7",
        "[B------:R-:W-:-:S01] STG.E [R4.64], R7",
        "[B------:R-:W-:-:S05] EXIT",
        "[B------:R-:W-:Y:S00] BRA 0xf0",
    ]
    assert program.instructions[10].source_uniforms == (4, 5)  # the hidden descriptor


@needs_nvdisasm
def test_resources_of_saxpy(sample):
    program = cubin.load(sample, "saxpy")[SAXPY]
    sizes = (Parameter(0, 4), Parameter(4, 4), Parameter(8, 8), Parameter(16, 8))
    assert program.parameters == sizes
    assert program.parameter_base == 0x160
    assert 8 <= program.registers <= 16
    assert (program.shared_bytes, program.local_bytes) == (0, 0)


@needs_nvdisasm
def test_constants_globals_and_shared_memory(sample):
    programs = cubin.load(sample)
    doubles, mixed = programs[DOUBLES], programs[MIXED]
    assert doubles.shared_bytes == 64 * 8
    assert len(mixed.constants[0]) == 0x160 + 24
    assert mixed.constants[3] == bytes(8 * 4)  # __constant__ float coefficients[8]
    assert len(mixed.constants[2]) >= 5 * 4  # the jump table
    assert 2 not in programs[SAXPY].constants
    where = {r.symbol: r for r in doubles.relocations}
    assert set(where) == {"table", "counter"}
    table, counter = where["table"].location, where["counter"].location
    assert struct.unpack_from("<4d", doubles.global_image, table) == (1.0, 2.0, 3.0, 4.0)
    assert doubles.global_image[counter : counter + 4] == bytes(4)
    assert sorted(r.offset for r in doubles.relocations) == [0, 8]


@needs_nvdisasm
def test_no_register_is_read_that_nothing_writes(sample):
    """Widths that are too large or too small would show here."""
    for program in cubin.load(sample).values():
        written, read = set(), set()
        for instruction in program.instructions:
            for runs, found in ((instruction.dests, written), (instruction.sources, read)):
                for run in runs:
                    found |= set(range(run.first, run.first + run.count))
        assert read <= written
        assert max(written) < program.registers
        assert written - read <= {1}  # R1 is the stack pointer


@needs_nvdisasm
def test_branches_agree_with_the_encoding(sample):
    """Bits 32-81 hold the signed byte distance from the next instruction (up to sm_89)."""
    checked = 0
    for program in cubin.load(sample).values():
        for i in program.instructions:
            if i.opcode == "BRA":
                distance = (i.encoding >> 32) & (1 << 50) - 1
                distance -= (distance >> 49) << 50
                assert i.target == i.pc + 16 + distance
                checked += 1
    assert checked > 10


@needs_nvdisasm
def test_text_alone_gives_the_same_instruction(sample, arch):
    """Without its encoding a line yields the same registers, slots, reuse bits and target."""
    fields = ("dests", "sources", "dest_predicates", "source_predicates", "dest_uniforms")
    fields += ("guard", "guard_negated", "target", "width", "constant", "unit", "latency_class")
    for program in cubin.load(sample).values():
        for i in program.instructions:
            alone = sass.parse_instruction(i.text, i.pc, arch)
            for name in fields:
                assert getattr(alone, name) == getattr(i, name), (i.text, name)
            assert alone.control.reuse == i.control.reuse, i.text
            assert [o.bits for o in alone.operands] == [o.bits for o in i.operands], i.text


# ---- kernel names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "mangled"),
    [
        ("saxpy", SAXPY),
        ("kernel", "_ZN2ns5inner6kernelEPf"),
        ("reduce", "_Z6reduceIfEvPT_"),
        ("main", "main"),
    ],
)
def test_plain_name_of_a_mangled_one(plain, mangled):
    assert cubin.plain_name(mangled) == plain


def test_find_kernel():
    names = [SAXPY, "_Z5scalef", "_Z5scaled"]
    assert cubin.find_kernel(names, SAXPY) == SAXPY
    assert cubin.find_kernel(names, "saxpy") == SAXPY
    with pytest.raises(InputError, match="'scale' is ambiguous; it may be _Z5scalef or _Z5scaled"):
        cubin.find_kernel(names, "scale")
    with pytest.raises(InputError, match=r"no kernel 'saxpi'.*Did you mean 'saxpy'\?"):
        cubin.find_kernel(names, "saxpi")


# ---- the cache -----------------------------------------------------------------------------------


@needs_nvdisasm
def test_the_disassembly_is_cached_by_content(sample, empty_cache):
    first = cubin.load(sample)
    [file] = empty_cache.iterdir()
    listing = json.loads(file.read_text())
    for function in listing[1]:
        for instruction in function["sass-instructions"]:
            if instruction["opcode"] == "NOP":
                instruction["operands"] = "0x123"
    file.write_text(json.dumps(listing))
    second = cubin.load(sample)
    assert second != first  # so the file was used
    assert second[SAXPY].instructions[-1].text == "NOP 0x123"


@needs_nvdisasm
def test_an_unwritable_cache_only_costs_time(sample, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("WARPWISE_CACHE", str(tmp_path / "file"))
    assert SAXPY in cubin.load(sample)


# ---- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (0, b"MZ", "is not an ELF file"),
        (18, struct.pack("<H", 62), "not a CUDA one"),
        (48, struct.pack("<I", 70 << 8), "is for sm_70; supported are sm_75, sm_80"),
    ],
)
def test_files_of_another_kind(tmp_path, offset, data, message):
    copy = changed(DATA / "sample_sm_86.cubin", tmp_path, offset, data)
    with pytest.raises(InputError, match=message):
        cubin.load(copy)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.cubin: No such file"):
        cubin.load(tmp_path / "none.cubin")


@pytest.mark.parametrize(("flags", "arch"), [(0x00560556, "sm_86"), (0x004B054B, "sm_75")])
def test_cuda_12_files_keep_the_architecture_elsewhere(tmp_path, flags, arch):
    """ABI 7 has the sm number in bits 0-7 of e_flags; the file itself is for sm_86."""
    copy = changed(DATA / "sample_sm_86.cubin", tmp_path, 7, bytes([0x33, 7]))
    copy = changed(copy, tmp_path, 48, struct.pack("<I", flags))
    assert Binary(copy).arch == arch


@needs_nvdisasm
def test_an_instruction_that_cannot_be_decoded_fails_the_load(tmp_path):
    path = DATA / "sample_sm_86.cubin"
    word = cubin.load(path)[SAXPY].instructions[12].encoding.to_bytes(16, "little")
    copy = changed(path, tmp_path, path.read_bytes().index(word), bytes(16))
    with pytest.raises(InputError):
        cubin.load(copy, "saxpy")


def test_relocatable_code_is_refused():
    with pytest.raises(InputError, match=r"kernel _Z5outerPi of .* that is linked later"):
        cubin.load(DATA / "relocatable_sm_86.cubin")


def test_without_nvdisasm_the_message_says_how_to_get_it(sample, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'warpwise\[cuda\]'"):
        cubin.load(sample)
