"""A `Program`: the static instructions of one kernel, each decoded once.

The same record comes from a cubin (`isa.cubin`) and from SASS text (`isa.sass`); emulator, traces
and timing model read nothing else about an instruction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

INSTRUCTION_BYTES = 16
RZ = 255  # reads as zero, never written
URZ = 63
PT = 7  # always true
NO_COUNTER = 7  # control field value for "no dependence counter"


class Unit(IntEnum):
    """Unit class of an instruction; the timing model maps it to a pipe of the architecture."""

    ALU = 0  # integer, logic, compare, select, move
    FMA = 1  # FP32 add, multiply, fused multiply-add
    FMA_HEAVY = 2  # integer multiply-add, packed FP16 on Ampere: the first FP32 pipe only
    FP16 = 3
    XU = 4  # special functions and conversions
    TENSOR = 5
    UNIFORM = 6
    BRANCH = 7
    MISC = 8  # NOP, BAR, DEPBAR, fences and the like
    CLOCK = 9  # reads of the clock that need no queue (CS2R)
    FP64 = 10
    MEMORY = 11  # whatever passes through the sub-core's memory queue


class Space(IntEnum):
    """Memory space that an instruction addresses."""

    NONE = 0
    GLOBAL = 1
    SHARED = 2
    LOCAL = 3
    CONSTANT = 4
    GENERIC = 5


class Access(IntEnum):
    """What a memory instruction does with memory."""

    NONE = 0
    LOAD = 1
    STORE = 2
    ATOMIC = 3  # returns the old value
    REDUCTION = 4  # returns nothing
    ASYNC_COPY = 5  # LDGSTS: global to shared


class Kind(Enum):
    """Kind of one operand in the text."""

    REGISTER = "R"
    UNIFORM = "UR"
    PREDICATE = "P"
    UNIFORM_PREDICATE = "UP"
    BARRIER = "B"  # convergence barrier register
    COUNTER = "SB"  # dependence counter, in DEPBAR
    SPECIAL = "SR"
    CONSTANT = "c"
    IMMEDIATE = "imm"
    ADDRESS = "[]"
    LABEL = "label"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand, in text order.

    `index` numbers a register of any class (RZ 255, URZ 63, PT 7) or is the register of a
    constant or address operand (None: none). `registers` is how many consecutive 32-bit registers
    the operand names (64-bit 2, 128-bit 4). `bits` are the raw bits of an immediate (32-bit
    pattern of a float).
    """

    kind: Kind
    text: str
    index: int | None = None
    registers: int = 1
    negated: bool = False  # "-" on a number, "!" on a predicate
    inverted: bool = False  # "~"
    absolute: bool = False
    reuse: bool = False
    suffixes: tuple[str, ...] = ()  # "H0_H0", "X4", "U32", "64", ...
    bits: int = 0  # immediate
    bank: int = 0  # constant
    offset: int = 0  # constant or address, bytes
    uniform: int | None = None  # uniform register of an address
    descriptor: int | None = None  # uniform register pair in front of a global address


@dataclass(frozen=True, slots=True)
class Control:
    """The control bits that the compiler sets (Huerta et al. 2025, section 4)."""

    stall: int = 1
    yield_: bool = False  # the warp is asked to give way; inverted in the encoding
    write_counter: int = NO_COUNTER
    read_counter: int = NO_COUNTER
    wait_mask: int = 0
    reuse: int = 0  # bit i: operand slot i


@dataclass(frozen=True, slots=True)
class Registers:
    """`count` consecutive registers starting at `first`, in operand slot `slot` (0 A, 1 B, 2 C)."""

    first: int
    count: int = 1
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Instruction:
    """One static instruction. Registers RZ, URZ and PT never appear in the derived lists."""

    pc: int  # byte offset in the kernel's code
    opcode: str  # "IADD3"
    modifiers: tuple[str, ...]  # ("X",)
    operands: tuple[Operand, ...]
    control: Control
    text: str
    guard: int = PT
    guard_negated: bool = False
    guard_uniform: bool = False
    encoding: int | None = None  # the 128-bit word, None for hand-written text
    known: bool = True  # the opcode is in the table
    unit: Unit = Unit.MISC
    latency_class: str = "misc"  # row of the machine's latency tables
    fixed: bool = True  # latency known to the compiler, else a dependence counter guards it
    dests: tuple[Registers, ...] = ()
    sources: tuple[Registers, ...] = ()
    dest_predicates: tuple[int, ...] = ()
    source_predicates: tuple[int, ...] = ()  # without the guard
    dest_uniform_predicates: tuple[int, ...] = ()
    source_uniform_predicates: tuple[int, ...] = ()
    dest_uniforms: tuple[int, ...] = ()
    source_uniforms: tuple[int, ...] = ()
    constant: tuple[int, int] | None = None  # (bank, offset) of a c[][] operand
    space: Space = Space.NONE
    access: Access = Access.NONE
    width: int = 0  # bits a thread moves
    uniform_address: bool = False  # no per-thread register in the address
    target: int | None = None  # byte offset of a direct branch's target

    @property
    def name(self) -> str:
        """Opcode with its modifiers, as printed."""
        return ".".join((self.opcode, *self.modifiers))

    @property
    def is_texture(self) -> bool:
        """Whether it goes to the texture unit, textures and surfaces alike."""
        return self.latency_class == "texture"

    @property
    def passes_l1(self) -> bool:
        """Whether its operator sends a global access to the L2, which all SMs see."""
        scoped = "STRONG" in self.modifiers and ("GPU" in self.modifiers or "SYS" in self.modifiers)
        return scoped or "BYPASS" in self.modifiers


@dataclass(frozen=True, slots=True)
class Parameter:
    """One kernel parameter in constant bank 0; `offset` counts from the parameter base."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Relocation:
    """An 8-byte address in constant bank 4 that the loader fills in.

    `location` is the byte offset in the image of global variables; None for a function outside
    the binary such as `vprintf`.
    """

    offset: int  # in bank 4
    symbol: str
    location: int | None = None


@dataclass(frozen=True)
class Program:
    """The code of one kernel and what its binary says about resources."""

    name: str
    arch: str  # "sm_86"
    instructions: tuple[Instruction, ...]
    registers: int = 0  # per thread
    shared_bytes: int = 0  # static
    local_bytes: int = 0  # per thread
    parameter_base: int = 0  # byte offset in constant bank 0
    parameters: tuple[Parameter, ...] = ()
    constants: dict[int, bytes] = field(default_factory=dict)  # bank -> initial content
    global_image: bytes = b""  # initial content of global variables
    relocations: tuple[Relocation, ...] = ()
    control_bits: bool = True  # False: the source has none; `Control` of each instruction is void

    def __len__(self) -> int:
        return len(self.instructions)
