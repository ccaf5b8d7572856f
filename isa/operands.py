"""The text of one SASS operand -> `Operand`."""

from __future__ import annotations

import difflib
import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache

from .errors import InputError
from .program import PT, RZ, URZ, Kind, Operand
from .registers import DIMENSIONS

_COMMA = re.compile(r",(?![^{]*})")
_TWO_GROUPS = re.compile(r"(\[[^\]]*\])(\[.*)")  # LDGSTS: [R0][R2.64]

_REGISTER = re.compile(
    r"(?P<sign>[-~!]?)(?P<abs>\|?)(?P<file>UR|R|UP|P|SB|B)(?P<number>\d+|Z|T)"
    r"(?P<before>(?:\.\w+)*)\|?(?P<after>(?:\.\w+)*)"
)
_CONSTANT = re.compile(
    r"(?P<sign>[-~]?)(?P<abs>\|?)c(?:\[(?P<bank>0x[0-9a-f]+)\]|x\[(?P<handle>UR\w+)\])"
    r"\[(?P<terms>[^\]]+)\](?P<after>(?:\.\w+)*)\|?"
)
_ADDRESS = re.compile(
    r"(?:desc\[(?P<descriptor>UR\w+)\])?\[(?P<terms>[^\]]*)\](?P<after>(?:\.\w+)*)"
)
_TERM = re.compile(
    r"(?:(?P<file>UR|R)(?P<number>\d+|Z)(?P<suffixes>(?:\.\w+)*)|(?P<offset>-?0x[0-9a-fA-F]+))"
)
_COUNTER_LIST = re.compile(r"\{\s*\d(?:\s*,\s*\d)*\s*\}")  # DEPBAR.LE SB0, 0x1, {4,3}
_INTEGER = re.compile(r"-?(?:0x[0-9a-fA-F]+|\d+)")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|INF|QNAN|SNAN)")

# register file -> kind, how many numbers it has, name of the one past the last
_FILES = {
    "R": (Kind.REGISTER, 255, "Z", RZ),
    "UR": (Kind.UNIFORM, 255, "Z", URZ),
    "P": (Kind.PREDICATE, 7, "T", PT),
    "UP": (Kind.UNIFORM_PREDICATE, 7, "T", PT),
    "B": (Kind.BARRIER, 16, "", 0),
    "SB": (Kind.COUNTER, 6, "", 0),
}
_WORDS = frozenset(DIMENSIONS) | {"ARRAY_3D", "Rpc", "Rpc.LO", "Rpc.HI"}
_WHOLE_FILES = {"PR": Kind.PREDICATE, "UPR": Kind.UNIFORM_PREDICATE}


def split(text: str) -> list[str]:
    """Texts of the operands of one instruction."""
    texts: list[str] = []
    for part in map(str.strip, _COMMA.split(text)):
        groups = _TWO_GROUPS.fullmatch(part)
        texts += groups.groups() if groups else [part]
    return [part for part in texts if part]


@lru_cache(maxsize=4096)
def parse(text: str, opcode: str, modifiers: tuple[str, ...] = (), strict: bool = True) -> Operand:
    """Read one operand; `strict` refuses words that no known operand spells."""
    if match := _REGISTER.fullmatch(text):
        return _register(text, match)
    if match := _CONSTANT.fullmatch(text):
        return _constant(text, match)
    if match := _ADDRESS.fullmatch(text):
        return _address(text, match)
    if text in _WHOLE_FILES:
        return Operand(_WHOLE_FILES[text], text)
    if text.startswith("SR"):
        return Operand(Kind.SPECIAL, text)
    if is_float(text, opcode):
        return Operand(Kind.IMMEDIATE, text, bits=float_bits(text, opcode, modifiers))
    if _INTEGER.fullmatch(text):
        return Operand(Kind.IMMEDIATE, text, bits=_integer_bits(text))
    if strict and text not in _WORDS and not _COUNTER_LIST.fullmatch(text):
        raise InputError(_unreadable(text))
    return Operand(Kind.OTHER, text)


def is_float(text: str, opcode: str) -> bool:
    """Whether an operand is a floating-point literal, which is never printed in hex."""
    return bool(_float_format(opcode)) and _FLOAT.fullmatch(text) is not None


def float_bits(text: str, opcode: str, modifiers: Sequence[str] = ()) -> int:
    """The immediate field of a float: FP32 bits, FP16/BF16 bits, or the upper half of an FP64."""
    value = _float_value(text)
    kind = _float_format(opcode)
    try:
        if kind == "D":
            return int(struct.unpack("<Q", struct.pack("<d", value))[0]) >> 32
        if kind == "H" and not any(m.startswith("BF16") for m in modifiers):
            return int(struct.unpack("<H", struct.pack("<e", value))[0])
        bits = int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        raise InputError(f"{text} is too large for a floating-point operand of {opcode}.") from None
    return bits >> 16 if kind == "H" else bits


def _float_format(opcode: str) -> str:
    """`F`, `D` or `H` for opcodes whose decimal literals are floats, else nothing."""
    if opcode in ("FLO", "UFLO", "DEPBAR"):
        return ""
    if opcode == "MUFU":
        return "F"
    name = opcode.removeprefix("U")
    return name[:1] if name[:1] in "FDH" else ""


def _float_value(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    word = text.lstrip("+-")
    if word.endswith("NAN"):
        return math.copysign(math.nan, sign)
    return sign * float(word)


def _integer_bits(text: str) -> int:
    value = int(text, 0) if "x" in text else int(text)
    return value & (0xFFFFFFFF if -(1 << 32) < value < 1 << 32 else 0xFFFFFFFFFFFFFFFF)


def number(text: str, file: str, digits: str) -> int:
    """Index of a register such as `R7`, `URZ` or `PT`, checked against its file."""
    _, count, last_name, last = _FILES[file]
    if digits == last_name:
        return last
    if not digits.isdigit() or int(digits) >= count:
        end = f" or {file}{last_name}" if last_name else ""
        raise InputError(f"{text!r} is not a register; expected {file}0..{file}{count - 1}{end}.")
    return int(digits)


def _suffixes(*texts: str) -> tuple[str, ...]:
    return tuple(part for text in texts for part in text.split(".") if part)


def _register(text: str, match: re.Match[str]) -> Operand:
    suffixes = _suffixes(match["before"], match["after"])
    return Operand(
        _FILES[match["file"]][0],
        text,
        index=number(text, match["file"], match["number"]),
        negated=match["sign"] in ("-", "!"),
        inverted=match["sign"] == "~",
        absolute=match["abs"] == "|",
        reuse="reuse" in suffixes,
        suffixes=tuple(s for s in suffixes if s != "reuse"),
    )


def _constant(text: str, match: re.Match[str]) -> Operand:
    index, uniform, offset, suffixes = _terms(text, match["terms"])
    return Operand(
        Kind.CONSTANT,
        text,
        index=index,
        negated=match["sign"] == "-",
        inverted=match["sign"] == "~",
        absolute=match["abs"] == "|",
        suffixes=suffixes + _suffixes(match["after"]),
        bank=int(match["bank"], 16) if match["bank"] else 0,
        offset=offset,
        uniform=uniform,
        descriptor=_uniform(text, match["handle"]),
    )


def _address(text: str, match: re.Match[str]) -> Operand:
    index, uniform, offset, suffixes = _terms(text, match["terms"])
    return Operand(
        Kind.ADDRESS,
        text,
        index=index,
        suffixes=suffixes + _suffixes(match["after"]),
        offset=offset,
        uniform=uniform,
        descriptor=_uniform(text, match["descriptor"]),
    )


def _uniform(text: str, name: str | None) -> int | None:
    return None if name is None else number(text, "UR", name.removeprefix("UR"))


def _terms(text: str, inner: str) -> tuple[int | None, int | None, int, tuple[str, ...]]:
    """Register, uniform register, byte offset and suffixes of `R2.64+UR4+-0x8`."""
    index = uniform = None
    offset = 0
    suffixes: tuple[str, ...] = ()
    for term in inner.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise InputError(f"{term!r} in {text!r} is neither a register nor a hex offset.")
        if match["offset"]:
            offset += int(match["offset"], 16)
        elif match["file"] == "R":
            index = number(text, "R", match["number"])
            suffixes += _suffixes(match["suffixes"])
        else:
            uniform = number(text, "UR", match["number"])
    return index, uniform, offset, suffixes


def _unreadable(text: str) -> str:
    names = [f"{file}{n}" for file, (_, count, _, _) in _FILES.items() for n in range(count)]
    close = difflib.get_close_matches(text, [*names, "RZ", "URZ", "PT", "UPT", *_WORDS], n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    return (
        f"operand {text!r} is none of register, predicate, constant c[0x0][0x0], address [R0], "
        f"immediate or special register{hint}"
    )
