"""Hypothesis strategies for kernels and machines on which engine and twin have to agree.

Registers come from a small pool, so that bank conflicts, reuse and dependences are frequent;
control bits are legal or odd; every program ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

WIDE = ("", ".64", ".128")
REGISTERS = (2, 3, 4, 5, 6, 8, 10, 12, 14)  # mostly of one bank


@dataclass(frozen=True)
class Program:
    """A `.sass` text, a GPU, and changed parameters."""

    text: str
    gpu: str
    changes: dict[str, Any] = field(default_factory=dict)


def register(align: int = 1) -> st.SearchStrategy[str]:
    """A register, the first of an aligned group."""
    return st.sampled_from([f"R{n}" for n in REGISTERS if n % align == 0])


def source(align: int = 1) -> st.SearchStrategy[str]:
    """The same as a source, now and then kept for reuse or RZ."""
    suffix = st.sampled_from(["", "", ".reuse"])
    named = st.tuples(register(align), suffix).map("".join)
    return st.one_of(named, named, named, st.just("RZ"))


def constant() -> st.SearchStrategy[str]:
    """A constant operand, in one of a few lines."""
    lines = st.sampled_from([0x160, 0x168, 0x1A0, 0x200, 0x240, 0x400])
    return st.tuples(st.sampled_from([0, 3]), lines).map(lambda p: f"c[{p[0]:#x}][{p[1]:#x}]")


def form(template: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Text with drawn parts; a, b, c are sources and d is a destination unless told otherwise."""
    usual = {"a": source(), "b": source(), "c": source(), "d": register()}
    chosen = {k: parts.get(k, usual.get(k)) for k in (*usual, *parts) if f"{{{k}}}" in template}
    return st.fixed_dictionaries(chosen).map(lambda values: template.format(**values))


PAIR, QUAD = source(2), source(4)

FLOAT = st.one_of(
    form("FADD {d}, {a}, {b}"),
    form("FFMA {d}, {a}, {b}, {c}"),
    form("FFMA {d}, {a}, {b}, {c}"),
    form("@P0 FADD {d}, {a}, {b}"),
)
INTEGER = st.one_of(
    form("IADD3 {d}, {a}, {b}, {c}"),
    form("LOP3.LUT {d}, {a}, {b}, {c}, 0x96, !PT"),
    form("MOV {d}, {a}"),
    form("SEL {d}, {a}, {b}, P0"),
    form("ISETP.LT.AND P0, PT, {a}, {b}, PT"),
    form("UIADD3 UR4, UR6, {n}, URZ", n=st.sampled_from(["0x1", "UR5"])),
)
HEAVY = st.one_of(
    form("IMAD {d}, {a}, {b}, {c}"),
    form("IMAD.WIDE {d}, {a}, {b}, {c}", d=register(2), c=PAIR),
    form("HADD2 {d}, {a}, {b}"),
    form("HFMA2 {d}, {a}, {b}, {c}"),
)
CONSTANT = st.one_of(
    form("FMUL {d}, {a}, {k}", k=constant()),
    form("FFMA {d}, {a}, {k}, {c}", k=constant()),
    form("MOV {d}, {k}", k=constant()),
)
OTHER = st.sampled_from(["NOP", "CS2R.32 R4, SR_CLOCKLO"])
TENSOR = form("HMMA.1688.F32 {d}, {a}, {b}, {c}", d=register(4), a=PAIR, b=source(), c=QUAD)
SPECIAL = st.one_of(
    form("MUFU.RCP {d}, {a}"), form("POPC {d}, {a}"), form("I2F {d}, {a}"), form("F2I {d}, {a}")
)
DOUBLE = st.one_of(
    form("DADD {d}, {a}, {b}", d=register(2), a=PAIR, b=PAIR),
    form("DFMA {d}, {a}, {b}, {c}", d=register(2), a=PAIR, b=PAIR, c=PAIR),
)
LOADS = st.one_of(
    *(form(f"LDG.E{w} {{d}}, [{{a}}.64]", d=register(4), a=register(2)) for w in WIDE),
    *(form(f"LDG.E{w} {{d}}, [UR4]", d=register(4)) for w in WIDE),
    form("@!PT LDG.E {d}, [{a}.64]", a=register(2)),
)
STORES = st.one_of(
    *(form(f"STG.E{w} [{{a}}.64], {{d}}", d=register(4), a=register(2)) for w in WIDE),
    form("STG.E [UR4], {d}"),
)
SHARED = st.one_of(
    *(form(f"LDS{w} {{d}}, [{{a}}]", d=register(4), a=register()) for w in WIDE),
    *(form(f"STS{w} [{{a}}], {{d}}", d=register(4), a=register()) for w in WIDE),
    *(form(f"LDS{w} {{d}}, [UR4]", d=register(4)) for w in WIDE),
    form("ATOMS.ADD {d}, [{a}], {b}", a=register()),
    form("SHFL.IDX PT, {d}, {a}, {b}, {c}"),
    form("S2R {d}, SR_TID.X"),
)
LDC = st.one_of(form("LDC {d}, {k}", k=constant()), form("LDC {d}, c[0x0][{a}]", a=register()))
COPIES = st.one_of(
    form("LDGSTS.E [{d}], [{a}.64]", a=register(2)), st.just("LDGDEPBAR"), st.just("LDGDEPBAR")
)
DEPBAR = form("DEPBAR.LE SB{s}, {n}", s=st.sampled_from("012"), n=st.sampled_from(["0x0", "0x1"]))
SYNC = st.one_of(st.just("BAR.SYNC 0x0"), st.just("BAR.SYNC 0x1"), DEPBAR, DEPBAR)


def operations(arch: str, warm: str, fences: bool) -> st.SearchStrategy[str]:
    """One instruction without its control bits.

    The twin ends at the L1: LDC only where it hits, fences only where no store goes to the L2.
    """
    kinds = [FLOAT, FLOAT, INTEGER, HEAVY, CONSTANT, OTHER, TENSOR]
    kinds += [SPECIAL, DOUBLE, LOADS, SHARED, SYNC]
    kinds += [COPIES] if arch == "sm_86" else []
    kinds += [LDC] if "const" in warm else []
    kinds += [st.just("MEMBAR.SC.CTA")] if fences else [STORES]
    return st.one_of(*kinds)


@st.composite
def controls(draw: st.DrawFn) -> str:
    """Control bits: what a compiler sets, or anything."""
    stall = draw(st.one_of(st.just(1), st.integers(1, 6), st.integers(0, 15)))
    yields = draw(st.sampled_from("---Y"))
    counter = st.sampled_from("---012")
    wait = draw(st.sampled_from(["", "", "", "0", "1", "02"]))
    mask = "".join(k if k in wait else "-" for k in "012345")
    return f"[B{mask}:R{draw(counter)}:W{draw(counter)}:{yields}:S{stall:02}]"


@st.composite
def idioms(draw: st.DrawFn, arch: str) -> list[str]:
    """Sequences in which one instruction matters to the next; single ones seldom form them."""
    bits = "[B------:R-:W{}:-:S{:02}] {} ;"
    soon, counter = draw(st.sampled_from([1, 1, 2, 4, 5])), draw(st.sampled_from("01"))
    depbar = f"DEPBAR.LE SB{counter}, {draw(st.integers(0, 1)):#x}"
    after = [bits.format("-", draw(st.sampled_from([1, 4])), depbar)]
    after += [bits.format("-", 1, draw(FLOAT)) for _ in range(draw(st.integers(1, 3)))]
    kinds = [
        "reuse",
        "conflict",
        "wait",
        "guard",
        "double",
        "copies" if arch == "sm_86" else "wait",
    ]
    match draw(st.sampled_from(kinds)):
        case "reuse":
            kept, warm = draw(register()), draw(st.sampled_from(["", ".reuse"]))
            rest = [f"{{d}}, {kept}{suffix}, {{b}}, {{c}}" for suffix in (".reuse", warm, "")]
            return [bits.format("-", soon, draw(form(f"FFMA {operands}"))) for operands in rest]
        case "conflict":
            even = st.sampled_from(["R2", "R4", "R6", "R8", "R10"])
            opcode = draw(st.sampled_from(["IADD3", "IMAD", "IMAD.WIDE", "FFMA"]))
            d = register(2)  # IMAD.WIDE has two
            one = form(f"{opcode} {{d}}, {{a}}, {{b}}, {{c}}", a=even, b=even, c=even, d=d)
            return [bits.format("-", min(soon, 2), draw(one)) for _ in range(4)]
        case "double":
            return [bits.format("-", soon, draw(DOUBLE)) for _ in range(2)]
        case "wait":
            loads = draw(st.lists(st.one_of(LOADS, SHARED, SPECIAL), min_size=1, max_size=3))
            return [bits.format(counter, soon, load) for load in loads] + after
        case "guard":
            test = draw(form("ISETP.LT.AND P0, PT, {a}, {b}, PT"))
            return [bits.format("-", soon, text) for text in (test, draw(form("@P0 MOV {d}, {a}")))]
        case _:
            copy = draw(form("LDGSTS.E [{d}], [{a}.64]", a=register(2)))
            group = [bits.format("-", soon, copy)] * draw(st.integers(0, 2))
            group += [bits.format(counter, 2, "LDGDEPBAR")]
            waits = f"[B{'-' * int(counter)}{counter}{'-' * (5 - int(counter))}:R-:W-:-:S01] NOP ;"
            return group * draw(st.integers(1, 2)) + draw(st.sampled_from([after, [waits]]))


@st.composite
def code(draw: st.DrawFn, arch: str, warm: str, sizes: tuple[int, int]) -> list[str]:
    """Straight-line code, a loop in it, and a branch over some of it."""
    operation = operations(arch, warm, fences=draw(st.integers(0, 4)) == 0)
    one = st.tuples(controls(), operation).map(lambda pair: [f"{pair[0]} {pair[1]} ;"])
    part = st.one_of(one, one, one, idioms(arch))
    parts = draw(st.lists(part, min_size=sizes[0], max_size=sizes[1]))
    lines = [line for part in parts for line in part]
    if len(lines) > 2 and draw(st.integers(0, 3)) == 0:
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(lines) - 1)] * 2)))
        trips = draw(st.integers(1, 3))
        lines.insert(begin, "again:")
        lines.insert(end + 2, f"{draw(controls())} @P0 BRA again ; @trips {trips}")
    if draw(st.integers(0, 2)) == 0:
        taken, place = draw(st.booleans()), draw(st.integers(0, len(lines)))
        branch = f"{draw(controls())} @P1 BRA out ; {'@taken' if taken else '@not_taken'}"
        between = draw(st.sampled_from([[], ["@repeat 24 NOP ;"], ["NOP ;"]])) if taken else []
        end = place if between else draw(st.integers(place, len(lines)))
        lines = [*lines[:place], branch, *between, *lines[place:end], "out:", *lines[end:]]
    return lines


def parameters(**choices: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={k.replace("__", "."): st.sampled_from(v) for k, v in choices.items()}
    ).map(lambda found: {f"sm.{name}": value for name, value in found.items()})


CORES = parameters(
    register_file__read_ports=[2, 3],
    register_file__write_ports=[2],
    register_file__read_window=[4, 5],
    register_file__cache=[False],
    issue__policy=["gto", "oldest", "lrr", "cggty"],
    local_unit__capacity=[1, 3, 8],
    memory_unit__grant_interval=[1, 3],
    latency__fma__latency=[2, 3, 7],
    latency__alu__interval=[1, 3],
    barrier__latency=[1, 7],
    fp64__queue=[1],
    fp64__interval=[5],
)
FRONT_ENDS = parameters(
    fetch__policy=["gto", "lrr"],
    fetch__buffer_entries=[1, 2, 4],
    fetch__redirect_delay=[2],
    stream_buffer__lines=[0, 1, 2],
    l1i__request_latency=[3],
    l0i__sets=[1],
    l0i__ways=[1, 2],
    l0i__merges=[1, 2],
    l0i__mshrs=[1],
    l0_constant__sets=[1],
    l0_constant__ways=[1],
    l0_constant__stop_cycles=[1, 6],
)
SCOREBOARDS = parameters(
    dependence__consumers=[0, 1, 3],
    dependence__release=["retire"],
    register_file__read_ports=[2],
).map(lambda found: {**found, "sm.dependence.mode": "scoreboard"})
MACHINES = st.one_of(st.just({}), CORES, FRONT_ENDS, SCOREBOARDS, SCOREBOARDS)


@st.composite
def programs(draw: st.DrawFn, least: int = 1, most: int = 10) -> Program:
    """A kernel of one to three CTAs on a machine; as many parts, of one to seven instructions."""
    gpu, arch = draw(st.sampled_from([("rtx_a6000", "sm_86"), ("rtx_2080_ti", "sm_75")]))
    warm = draw(st.sampled_from(["icache l1i const l1", "icache l1i l1", "l1i l1", "l1i l1"]))
    warps = draw(st.sampled_from([1, 1, 2, 4, 5, 8, 12, 24]))
    head = [f".arch {arch}", ".kernel drawn", f".block {32 * warps}"]
    head += [f".grid {draw(st.sampled_from([1, 1, 1, 2, 3]))}", f".warm {warm}"]
    if warps >= 8 and draw(st.booleans()):  # all on one sub-core
        head += [".active " + " ".join(map(str, range(0, warps, 4)))]
    lines = draw(code(arch, warm, (least, most)))
    end = "[B------:R-:W-:-:S01] EXIT ;"
    changes = draw(MACHINES) | draw(st.sampled_from([{}, {"launch.refill_latency": 0}]))
    return Program("\n".join([*head, *lines, end, ""]), gpu, changes)
