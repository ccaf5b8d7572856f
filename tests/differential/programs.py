"""Hypothesis strategies for kernels and machines on which engine and twin have to agree.

Registers come from a small pool, so that bank conflicts, reuse and dependences are frequent;
control bits are legal or odd; every program ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

WIDE = ("", ".64", ".128")
POOL = 28  # registers


@dataclass(frozen=True)
class Program:
    """A `.sass` text, a GPU, and changed parameters."""

    text: str
    gpu: str
    changes: dict[str, Any] = field(default_factory=dict)


def register(align: int = 1) -> st.SearchStrategy[str]:
    """A register, the first of an aligned group."""
    return st.integers(2, POOL // align - 1).map(lambda n: f"R{n * align}")


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

FIXED = st.one_of(
    form("FADD {d}, {a}, {b}"),
    form("FFMA {d}, {a}, {b}, {c}"),
    form("FMUL {d}, {a}, {k}", k=constant()),
    form("FFMA {d}, {a}, {k}, {c}", k=constant()),
    form("IADD3 {d}, {a}, {b}, {c}"),
    form("LOP3.LUT {d}, {a}, {b}, {c}, 0x96, !PT"),
    form("MOV {d}, {k}", k=constant()),
    form("MOV {d}, {a}"),
    form("SEL {d}, {a}, {b}, P0"),
    form("ISETP.LT.AND P0, PT, {a}, {b}, PT"),
    form("IMAD {d}, {a}, {b}, {c}"),
    form("IMAD.WIDE {d}, {a}, {b}, {c}", d=register(2), c=PAIR),
    form("HADD2 {d}, {a}, {b}"),
    form("HFMA2 {d}, {a}, {b}, {c}"),
    st.just("NOP"),
    st.just("CS2R.32 R4, SR_CLOCKLO"),
    form("UIADD3 UR4, UR6, {n}, URZ", n=st.sampled_from(["0x1", "UR5"])),
    form("@P0 FADD {d}, {a}, {b}"),
)
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
    kinds = [FIXED, FIXED, FIXED, SPECIAL, DOUBLE, LOADS, SHARED, SYNC, TENSOR]
    kinds += [COPIES] if arch == "sm_86" else []
    kinds += [LDC] if "const" in warm else []
    kinds += [st.just("MEMBAR.SC.CTA")] if fences else [STORES]
    return st.one_of(*kinds)


@st.composite
def controls(draw: st.DrawFn) -> str:
    """Control bits: what a compiler sets, or anything."""
    stall = draw(st.one_of(st.integers(1, 6), st.integers(0, 15)))
    yields = draw(st.sampled_from("---Y"))
    counter = st.sampled_from("------012")
    wait = draw(st.sets(st.sampled_from("012"), max_size=2))
    mask = "".join(k if k in wait else "-" for k in "012345")
    return f"[B{mask}:R{draw(counter)}:W{draw(counter)}:{yields}:S{stall:02}]"


@st.composite
def code(draw: st.DrawFn, arch: str, warm: str, most: int) -> list[str]:
    """Straight-line code, a loop in it, and a branch over some of it."""
    operation = operations(arch, warm, fences=draw(st.integers(0, 4)) == 0)
    one = st.tuples(controls(), operation).map(lambda pair: f"{pair[0]} {pair[1]} ;")
    lines = draw(st.lists(one, min_size=1, max_size=most))
    if len(lines) > 2 and draw(st.integers(0, 3)) == 0:
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(lines) - 1)] * 2)))
        trips = draw(st.integers(1, 3))
        lines.insert(begin, "again:")
        lines.insert(end + 2, f"{draw(controls())} @P0 BRA again ; @trips {trips}")
    if draw(st.integers(0, 3)) == 0:
        taken = draw(st.sampled_from(["@taken", "@not_taken"]))
        place = draw(st.integers(0, len(lines)))
        lines.insert(place, f"{draw(controls())} @P1 BRA out ; {taken}")
        lines.insert(draw(st.integers(place + 1, len(lines))), "out:")
    return lines


def _settings(**choices: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={k.replace("__", "."): st.sampled_from(v) for k, v in choices.items()}
    ).map(lambda found: {f"sm.{name}": value for name, value in found.items()})


MACHINES = st.one_of(
    st.just({}),
    _settings(
        register_file__read_ports=[2, 3],
        register_file__write_ports=[2],
        register_file__read_window=[4, 5],
        register_file__cache=[False],
        issue__policy=["gto", "oldest", "lrr", "lri"],
        local_unit__capacity=[1, 3, 8],
        memory_unit__grant_interval=[1, 3],
        latency__fma__latency=[2, 3, 7],
        latency__alu__interval=[1, 3],
        barrier__latency=[1, 7],
        fp64__queue=[1],
        fp64__interval=[5],
    ),
    _settings(
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
    ),
    _settings(
        dependence__consumers=[0, 1, 3],
        dependence__release=["retire"],
        register_file__read_ports=[2],
    ).map(lambda found: {**found, "sm.dependence.mode": "scoreboard"}),
)


@st.composite
def programs(draw: st.DrawFn, most: int = 14) -> Program:
    """A kernel of one to three CTAs on a machine."""
    gpu, arch = draw(st.sampled_from([("rtx_a6000", "sm_86"), ("rtx_2080_ti", "sm_75")]))
    warm = draw(st.sampled_from(["icache l1i const l1", "icache l1i l1 const", "l1i l1"]))
    warps = draw(st.sampled_from([1, 1, 2, 4, 5, 8, 12, 24]))
    head = [f".arch {arch}", ".kernel drawn", f".block {32 * warps}"]
    head += [f".grid {draw(st.sampled_from([1, 1, 1, 2, 3]))}", f".warm {warm}"]
    if warps >= 8 and draw(st.booleans()):  # all on one sub-core
        head += [".active " + " ".join(map(str, range(0, warps, 4)))]
    lines = draw(code(arch, warm, most))
    end = "[B------:R-:W-:-:S01] EXIT ;"
    return Program("\n".join([*head, *lines, end, ""]), gpu, draw(MACHINES))
