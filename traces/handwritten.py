"""Microbenchmarks written by hand: `.sass` text with directives becomes a trace.

The language is described in `docs/formats.md`. Conditions are not evaluated: a loop says how often
it runs, a conditional forward branch whether it is taken.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as FilePath
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import INSTRUCTION_BYTES, PT, Access, Instruction, Program, Space
from ..isa.sass import parse_instruction
from .kernel import WARP_SIZE, Accesses, Cta, Kernel, Path, Trace, Warp

DATA_BASE: Final = 0x10000  # default address of lane 0 in global memory; elsewhere it is 0
THREAD_LIMIT: Final = 1024  # per CTA
STATIC_LIMIT: Final = 1 << 20  # instructions of a kernel, 16 MiB of code
DYNAMIC_LIMIT: Final = 1 << 22  # instructions that a warp executes
WARM: Final = ("icache", "l1i", "const", "l1")
NOTES: Final = ("repeat", "trips", "taken", "not_taken", "addr", "shared")
BRANCHES: Final = ("BRA", "EXIT")  # the walk asks whether they are taken
UNSUPPORTED: Final = ("BRX", "BRXU", "CALL", "JMP", "JMX", "JMXU", "RET")  # cannot be walked

COMMENT: Final = re.compile(r"(#|//).*")
LABEL: Final = re.compile(r"([A-Za-z_.$][\w.$]*)\s*:\s*")
NOTE: Final = re.compile(r"\s*@(?!!|U?P[0-9T]\b)(\w*)((?:\s+(?:\w+=\S*|\d\w*)(?=\s|$))*)\s*")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the file, for messages."""

    source: str
    number: int
    text: str

    def fail(self, reason: str) -> NoReturn:
        raise InputError(f"{self.source}:{self.number}: {self.text}: {reason}")

    def integer(self, word: str, least: int) -> int:
        try:
            value = int(word, 0)
        except ValueError:
            self.fail(f"{word!r} found, expected a whole number")
        if value < least:
            self.fail(f"{value} found, expected at least {least}")
        return value

    def choose(self, word: str, what: str, choices: Iterable[str]) -> str:
        """`word` if it is one of `choices`, else an error that suggests the nearest."""
        choices = list(choices)
        if word not in choices:
            near = difflib.get_close_matches(word, choices, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(choices)}"
            self.fail(f"unknown {what} {word!r}, {hint}")
        return word


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Addresses `base + lane * stride`; None takes the instruction's default."""

    base: int | None = None
    stride: int | None = None


@dataclass(slots=True)
class _Notes:
    """What the `@` annotations of one line say."""

    repeat: int = 1
    trips: int | None = None
    taken: bool | None = None
    address: _Pattern = _Pattern()
    shared: _Pattern = _Pattern()


@dataclass(frozen=True, slots=True)
class _Statement:
    """One static instruction before labels have addresses."""

    line: _Line
    text: str
    notes: _Notes


@dataclass
class _Draft:
    """A kernel while its lines are read."""

    line: _Line
    name: str
    arch: str
    block: tuple[int, int, int] = (WARP_SIZE, 1, 1)
    grid: tuple[int, int, int] = (1, 1, 1)
    warm: frozenset[str] = frozenset()
    active: frozenset[int] | None = None  # None: all warps
    statements: list[_Statement] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    # Of each open .repeat: its line, count, and how many statements and labels came before.
    repeats: list[tuple[_Line, int, int, int]] = field(default_factory=list)


def read(path: str | os.PathLike[str]) -> Trace:
    """The kernels of a `.sass` file."""
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason})") from error
    return parse(text, str(path))


def parse(text: str, source: str = "text") -> Trace:
    """The kernels that `text` describes; `source` names it in messages."""
    drafts = _Parser(source).drafts(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    kernels = (_assemble(draft, number, digest) for number, draft in enumerate(drafts))
    return Trace(tuple(kernels), source=source, producer="hand-written SASS")


class _Parser:
    """Reads lines into drafts."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._arch = ""
        self._drafts: list[_Draft] = []
        self._directives: dict[str, Callable[[_Line, list[str]], None]] = {
            ".arch": self._set_arch,
            ".kernel": self._start_kernel,
            ".block": self._set_block,
            ".grid": self._set_grid,
            ".warm": self._set_warm,
            ".active": self._set_active,
            ".repeat": self._start_repeat,
            ".end": self._end_repeat,
        }

    def drafts(self, text: str) -> list[_Draft]:
        for number, raw in enumerate(text.splitlines(), 1):
            code = COMMENT.sub("", raw).strip()
            if code:
                self._read(_Line(self._source, number, raw.strip()), code)
        if not self._drafts:
            raise InputError(f"{self._source}: no kernel found, expected a line `.kernel NAME`")
        self._check_repeats()
        return self._drafts

    def _read(self, line: _Line, code: str) -> None:
        if label := LABEL.match(code):
            self._add_label(line, label[1])
            code = code[label.end() :]
        if code.startswith("."):
            word, *arguments = code.split()
            self._directives[line.choose(word, "directive", self._directives)](line, arguments)
        elif code:
            self._add_statement(line, code)

    def _draft(self, line: _Line) -> _Draft:
        if not self._drafts:
            line.fail("expected a line `.kernel NAME` first")
        return self._drafts[-1]

    def _add_label(self, line: _Line, name: str) -> None:
        draft = self._draft(line)
        if name in draft.labels:
            line.fail(f"label {name} is already defined")
        draft.labels[name] = len(draft.statements)

    def _add_statement(self, line: _Line, code: str) -> None:
        draft = self._draft(line)
        notes, code = _take_notes(line, code, _Notes())
        text, _, tail = code.partition(";")
        notes, tail = _take_notes(line, tail, notes)
        if tail:
            line.fail(f"{tail!r} found after the instruction, expected @ annotations or nothing")
        if not text.strip():
            line.fail("no instruction found, expected one such as `FADD R1, R2, R3 ;`")
        statement = _Statement(line, text.strip(), notes)
        self._append(line, draft, [statement], notes.repeat)

    def _append(self, line: _Line, draft: _Draft, block: list[_Statement], count: int) -> None:
        if len(draft.statements) + len(block) * count > STATIC_LIMIT:
            line.fail(f"the kernel grows beyond {STATIC_LIMIT} instructions: use a loop")
        draft.statements += block * count

    def _set_arch(self, line: _Line, arguments: list[str]) -> None:
        [self._arch] = _exactly(line, arguments, 1)
        if not re.fullmatch(r"sm_\d+[a-z]?", self._arch):
            line.fail(f"{self._arch!r} found, expected an architecture such as sm_86")
        if self._drafts and not self._drafts[-1].statements:
            self._drafts[-1].arch = self._arch

    def _start_kernel(self, line: _Line, arguments: list[str]) -> None:
        [name] = _exactly(line, arguments, 1)
        self._check_repeats()
        self._drafts.append(_Draft(line, name, self._arch))

    def _set_block(self, line: _Line, arguments: list[str]) -> None:
        block = _shape(line, arguments)
        if math.prod(block) > THREAD_LIMIT:
            line.fail(f"{math.prod(block)} threads found, expected at most {THREAD_LIMIT}")
        self._draft(line).block = block

    def _set_grid(self, line: _Line, arguments: list[str]) -> None:
        self._draft(line).grid = _shape(line, arguments)

    def _set_warm(self, line: _Line, arguments: list[str]) -> None:
        warm = (line.choose(word, "cache", WARM) for word in arguments)
        self._draft(line).warm = frozenset(warm)

    def _set_active(self, line: _Line, arguments: list[str]) -> None:
        self._draft(line).active = frozenset(line.integer(word, 0) for word in arguments)

    def _start_repeat(self, line: _Line, arguments: list[str]) -> None:
        draft = self._draft(line)
        [word] = _exactly(line, arguments, 1)
        count = line.integer(word, 1)
        draft.repeats.append((line, count, len(draft.statements), len(draft.labels)))

    def _end_repeat(self, line: _Line, arguments: list[str]) -> None:
        _exactly(line, arguments, 0)
        draft = self._draft(line)
        if not draft.repeats:
            line.fail("no .repeat is open")
        start, count, statements, labels = draft.repeats.pop()
        if count > 1 and len(draft.labels) > labels:
            start.fail(f"it would define label {list(draft.labels)[labels]} {count} times")
        self._append(line, draft, draft.statements[statements:], count - 1)

    def _check_repeats(self) -> None:
        if self._drafts and self._drafts[-1].repeats:
            self._drafts[-1].repeats[-1][0].fail("no .end follows")


def _exactly(line: _Line, arguments: list[str], count: int) -> list[str]:
    if len(arguments) != count:
        line.fail(f"{len(arguments)} arguments found, expected {count}")
    return arguments


def _shape(line: _Line, arguments: list[str]) -> tuple[int, int, int]:
    if not 1 <= len(arguments) <= 3:
        line.fail(f"{len(arguments)} numbers found, expected x, x y or x y z")
    x, y, z = (line.integer(word, 1) for word in (*arguments, "1", "1")[:3])
    return x, y, z


def _take_notes(line: _Line, text: str, notes: _Notes) -> tuple[_Notes, str]:
    """Add the annotations that `text` begins with to `notes`; also the rest of `text`."""
    while found := NOTE.match(text):
        name = line.choose(found[1], "annotation", NOTES)
        _add_note(line, notes, name, found[2].split())
        text = text[found.end() :]
    return notes, text.strip()


def _add_note(line: _Line, notes: _Notes, name: str, arguments: list[str]) -> None:
    if name in ("repeat", "trips"):
        [word] = _exactly(line, arguments, 1)
        setattr(notes, name, line.integer(word, 1))
    elif name in ("taken", "not_taken"):
        _exactly(line, arguments, 0)
        notes.taken = name == "taken"
    else:
        setattr(notes, "address" if name == "addr" else name, _pattern(line, arguments))


def _pattern(line: _Line, arguments: list[str]) -> _Pattern:
    pairs = dict(word.partition("=")[::2] for word in arguments)
    values = {
        line.choose(key, "address key", ("base", "stride", "uniform")): line.integer(
            word, -(1 << 63)
        )
        for key, word in pairs.items()
    }
    if "uniform" in values:
        if len(values) > 1:
            line.fail("uniform found with another key, expected it alone")
        return _Pattern(values["uniform"], 0)
    if "base" not in values:
        line.fail("no address found, expected base=ADDRESS or uniform=ADDRESS")
    return _Pattern(values["base"], values.get("stride"))


# From a draft to a kernel


def _assemble(draft: _Draft, launch: int, digest: str) -> Kernel:
    if not draft.arch:
        draft.line.fail("no architecture given, expected a line such as `.arch sm_86` before")
    if not draft.statements:
        draft.line.fail("no instructions follow")
    labels = {name: index * INSTRUCTION_BYTES for name, index in draft.labels.items()}
    instructions = tuple(
        _decode(statement, index * INSTRUCTION_BYTES, draft.arch, labels)
        for index, statement in enumerate(draft.statements)
    )
    program = Program(draft.name, draft.arch, instructions, _registers(instructions))
    warps = _warps(draft, program)
    return Kernel(
        program=program,
        grid=draft.grid,
        block=draft.block,
        load_cta=lambda number: Cta(number, warps),
        launch=launch,
        warm=draft.warm,
        hash=digest,
        clock_reads=True,
    )


def _decode(statement: _Statement, pc: int, arch: str, labels: dict[str, int]) -> Instruction:
    line = statement.line
    try:
        instruction = parse_instruction(f"{statement.text} ;", pc, arch, labels=labels)
    except InputError as error:
        raise InputError(f"{line.source}:{line.number}: {error}") from error
    if instruction.opcode in UNSUPPORTED:
        line.fail(f"{instruction.opcode} cannot be followed here, expected BRA with a label")
    _check_notes(line, statement.notes, instruction)
    return instruction


def _check_notes(line: _Line, notes: _Notes, instruction: Instruction) -> None:
    """Raise where an annotation says something about an instruction that has no such thing."""
    if instruction.opcode not in BRANCHES and (notes.trips, notes.taken) != (None, None):
        line.fail("@trips, @taken and @not_taken are for BRA and EXIT")
    if instruction.access == Access.NONE and notes.address != _Pattern():
        line.fail("@addr is for instructions that address memory")
    if instruction.access != Access.ASYNC_COPY and notes.shared != _Pattern():
        line.fail("@shared is for LDGSTS")


def _registers(instructions: Iterable[Instruction]) -> int:
    """How many registers a thread needs: one more than the highest that the code names."""
    named = (r for i in instructions for r in (*i.dests, *i.sources))
    return max((r.first + r.count for r in named), default=0)


@dataclass(frozen=True, eq=False)
class _Walk:
    """The instructions that a warp meets: index of each, and whether its guard holds."""

    pcs: NDArray[np.uint32]
    holds: NDArray[np.bool_]

    def last(self) -> _Walk:
        """Only the EXIT."""
        return _Walk(self.pcs[-1:], self.holds[-1:])

    def warp(self, lanes: int, tables: tuple[_Table, _Table]) -> Warp:
        """A warp whose first `lanes` lanes exist; `tables` are those of `Accesses`."""
        active = np.full(len(self.pcs), (1 << lanes) - 1, np.uint32)
        path = Path(self.pcs, active, np.where(self.holds, active, np.uint32(0)))
        executes = self.holds[:, np.newaxis] & (np.arange(WARP_SIZE) < lanes)
        has_row = tables[0].has_row[self.pcs]
        rows = (np.where(executes[has_row], t.rows[self.pcs[has_row]], 0) for t in tables)
        addresses, shared = rows
        return Warp(path, Accesses(addresses, shared if tables[1].has_row.any() else shared[:0]))


def _warps(draft: _Draft, program: Program) -> tuple[Warp, ...]:
    """The warps of every CTA. Those that do the same share one object."""
    threads = math.prod(draft.block)
    count = -(-threads // WARP_SIZE)
    active = frozenset(range(count)) if draft.active is None else draft.active
    if max(active, default=0) >= count:
        draft.line.fail(f".active names warp {max(active)}, but a CTA has {count} warps")
    walk = _walk(draft.statements, program.instructions)
    tables = _tables(draft.statements, program.instructions)

    @cache
    def make(runs: bool, lanes: int) -> Warp:
        return (walk if runs else walk.last()).warp(lanes, tables)

    return tuple(make(w in active, min(WARP_SIZE, threads - w * WARP_SIZE)) for w in range(count))


def _walk(statements: list[_Statement], instructions: tuple[Instruction, ...]) -> _Walk:
    steps: list[tuple[int, bool]] = []
    rounds: Counter[int] = Counter()
    index = 0
    while index < len(instructions):
        statement, instruction = statements[index], instructions[index]
        if len(steps) == DYNAMIC_LIMIT:
            statement.line.fail(f"a warp executes over {DYNAMIC_LIMIT} instructions: loop less")
        if instruction.opcode not in BRANCHES:
            steps.append((index, _may_execute(instruction)))
            index += 1
            continue
        taken = _is_taken(statement, instruction, rounds)
        steps.append((index, taken or not _is_guarded(instruction)))
        if taken and instruction.opcode == "EXIT":
            pcs, holds = zip(*steps, strict=True)
            return _Walk(np.array(pcs, np.uint32), np.array(holds))
        index = _target(statement, instruction) if taken else index + 1
    statements[-1].line.fail("the warp runs past this last instruction, expected EXIT at the end")


def _is_taken(statement: _Statement, branch: Instruction, rounds: Counter[int]) -> bool:
    """Is BRA or EXIT taken? `rounds` counts, per loop, how often it has run since it began."""
    line, notes = statement.line, statement.notes
    backward = branch.target is not None and branch.target <= branch.pc
    if not _may_execute(branch):
        return False
    if notes.trips is not None:
        if not backward:
            line.fail("@trips is for backward branches, expected @taken or @not_taken")
        rounds[branch.pc] = (rounds[branch.pc] + 1) % notes.trips
        return rounds[branch.pc] != 0
    if backward and notes.taken is not False:
        line.fail("a loop, expected @trips N, the number of times that it runs")
    conditional = _is_guarded(branch) or len(branch.operands) > (branch.opcode == "BRA")
    if conditional and notes.taken is None:
        line.fail("conditions are not evaluated, expected @taken or @not_taken")
    return notes.taken is not False


def _target(statement: _Statement, branch: Instruction) -> int:
    """Index of the instruction that BRA goes to."""
    if branch.target is None or branch.target % INSTRUCTION_BYTES:
        statement.line.fail("no target found, expected a label or a multiple of 16")
    return branch.target // INSTRUCTION_BYTES


def _is_guarded(instruction: Instruction) -> bool:
    return instruction.guard != PT or instruction.guard_negated


def _may_execute(instruction: Instruction) -> bool:
    """False for `@!PT`."""
    return instruction.guard != PT or not instruction.guard_negated


@dataclass(frozen=True, eq=False)
class _Table:
    """Addresses of all lanes, per static instruction, and which instructions have any."""

    rows: NDArray[np.int64]  # shape (instructions, 32)
    has_row: NDArray[np.bool_]


def _tables(
    statements: list[_Statement], instructions: tuple[Instruction, ...]
) -> tuple[_Table, _Table]:
    """The addresses, and the second addresses that only LDGSTS has."""
    pairs = list(zip(statements, instructions, strict=True))
    rows = [_row(s.notes.address, i, _default_base(i)) for s, i in pairs]
    shared = [_row(s.notes.shared, i, 0) for s, i in pairs]
    has_row = np.array([i.access != Access.NONE for i in instructions])
    copies = np.array([i.access == Access.ASYNC_COPY for i in instructions])
    return _Table(np.array(rows), has_row), _Table(np.array(shared) * copies[:, None], copies)


def _row(pattern: _Pattern, instruction: Instruction, default_base: int) -> NDArray[np.int64]:
    base = default_base if pattern.base is None else pattern.base
    stride = 0 if instruction.uniform_address else instruction.width // 8
    if pattern.stride is not None:
        stride = pattern.stride
    return base + stride * np.arange(WARP_SIZE, dtype=np.int64)


def _default_base(instruction: Instruction) -> int:
    if instruction.space == Space.CONSTANT and instruction.constant is not None:
        return instruction.constant[1]
    copies = instruction.access == Access.ASYNC_COPY
    return DATA_BASE if copies or instruction.space in (Space.GLOBAL, Space.GENERIC) else 0
