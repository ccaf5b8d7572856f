"""Every parameter of the machine: its meaning, unit and bounds. A GPU is one validated `Gpu`.

Times are core cycles unless the name says otherwise. Values come from TOML files (`load.py`);
nothing of pydantic enters a compiled function: `record.py` turns a `Gpu` into one record.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"{value} is not a power of two")
    return value


Count = Annotated[int, Field(ge=1)]
PowerOfTwo = Annotated[int, Field(ge=1), AfterValidator(_power_of_two)]
Cycles = Annotated[int, Field(ge=0)]
Policy = Literal["cggty", "gto", "oldest", "lrr", "lri"]


class Section(BaseModel):
    """A table of the TOML file; a key that no field names is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Clock(Section):
    core_mhz: float = Field(gt=0, description="clock of SMs, interconnect and L2")
    dram_mhz: float = Field(gt=0, description="memory clock; 32 bytes a channel in 4 of its cycles")


class Launch(Section):
    latency_cycles: Cycles = Field(description="from kernel launch to the first CTA dispatch")
    gpu_interval: Cycles = Field(description="cycles between two CTA launches anywhere on the GPU")
    sm_interval: Cycles = Field(description="cycles between two CTA launches on one SM")
    cta_latency: Cycles = Field(description="from a CTA's dispatch until its warps may fetch")
    refill_latency: Cycles = Field(description="from the end of a CTA to the next one's dispatch")


class Occupancy(Section):
    warps: Count = Field(le=64, description="warp slots of an SM")
    ctas: Count = Field(le=32, description="CTA slots of an SM")
    registers: Count = Field(description="32-bit registers of an SM")
    register_unit: Count = Field(description="allocation unit of registers, per warp")
    register_pool: Literal["subcore", "sm"] = Field(
        description="whose registers a CTA's warps share: each sub-core has its own, or one pool"
    )
    shared_kib: Count = Field(description="most shared memory of an SM")
    shared_unit_bytes: Count = Field(description="allocation unit of shared memory, per CTA")
    shared_reserved_bytes: int = Field(ge=0, description="taken by the system, per CTA")


class Fetch(Section):
    policy: Policy = Field(description="which warp with room fetches; see sm.issue.policy")
    buffer_entries: Count = Field(le=8, description="instruction buffer entries of a warp")
    redirect_delay: Cycles = Field(description="from a taken branch's issue to the target's fetch")
    perfect: bool = Field(description="every fetch hits the L0I")


class Tags(Section):
    """Geometry of a small cache; the engine's records hold `most_lines` lines."""

    most_lines: ClassVar[int]

    sets: Count = Field(description="sets of the tags")
    ways: Count = Field(description="lines of a set")
    line_bytes: Count = Field(description="bytes of a line")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sets * self.ways > self.most_lines:
            raise ValueError(f"sets times ways has to be at most {self.most_lines}")
        return self


class L0I(Tags):
    most_lines = 512

    mshrs: Count = Field(le=32, description="lines that may be missing at once")
    merges: Count = Field(description="requests of warps that may wait for one line")
    miss_queue: Count = Field(description="misses that may wait for the port to the L1I")


class StreamBuffer(Section):
    lines: int = Field(ge=0, le=32, description="prefetched lines; 0 turns the prefetcher off")


class L1I(Tags):
    """The L1 instruction cache, which is the L1.5 constant cache as well, per SM."""

    most_lines = 2048

    mshrs: Count = Field(le=64, description="lines that may be missing at once")
    request_latency: Cycles = Field(description="from the L0I's port to the look-up in the L1I")
    reply_latency: Cycles = Field(description="from the look-up to the line in the L0I")
    port: Literal["round_robin", "fixed"] = Field(
        description="who sends a request: demands before prefetches, in turn; or sub-core 0 first"
    )


class L0Constant(Tags):
    """Constant operands of fixed-latency instructions, per sub-core."""

    most_lines = 64

    stop_cycles: Cycles = Field(description="cycles in which a miss lets no warp issue")
    probe: Literal["candidate", "all"] = Field(
        description="who looks up: the warp to issue, or all that are not behind it in the order"
    )


class L0VL(Tags):
    """Constants that LDC loads, per SM."""

    most_lines = 64


class Issue(Section):
    policy: Policy = Field(
        description="which ready warp issues: greedy then youngest, greedy then oldest, oldest, "
        "loose round robin, greedy then least recently issued"
    )
    recency_cycles: Cycles = Field(
        description="lri: issues longer ago are not told apart; the youngest of those warps is last"
    )
    stall_counter: Literal["linear", "shift"] = Field(
        description="the stall counter drops by one in each cycle, or is halved"
    )
    long_stall_cycles: Cycles = Field(le=127, description="distance after stall count 0 with yield")
    unyielded_stall_limit: Cycles = Field(description="largest stall count honoured without yield")
    unyielded_stall_cycles: Cycles = Field(description="distance beyond that limit, without yield")
    depbar: Literal["gate", "hold"] = Field(
        description="DEPBAR issues and holds what follows, or waits itself (first counter only)"
    )
    depbar_cycles: Count = Field(description="from DEPBAR's issue until it gates its warp")
    imad_hold: Literal["wide", "all"] = Field(description="which IMADs hold the issue port")
    imad_hold_cycles: Cycles = Field(description="issue port held after such an IMAD")


class Dependence(Section):
    mode: Literal["control_bits", "scoreboard"] = Field(
        description="who keeps dependent code apart"
    )
    consumers: int = Field(ge=0, description="scoreboard: pending readers of a register; 0: no WAR")
    release: Literal["bypass", "retire"] = Field(description="scoreboard: when a result is free")


Row = tuple[Cycles, Cycles, Cycles, Cycles, Cycles, Cycles, Cycles, Cycles]


class Bypass(Section):
    """Cycles from issue to issue of a reader, by class of the producer.

    Readers: alu, fma, fp16, fp64, tensor, decoupled, address, uniform.
    """

    alu: Row = Field(description="producers of the integer pipe")
    fma: Row = Field(description="producers of the FP32 pipes")
    fp16: Row = Field(description="packed FP16")
    cs2r: Row = Field(description="clock reads, 64-bit results")
    uniform: Row = Field(description="producers of the uniform datapath")
    uniform_load: Row = Field(description="ULDC, UMOV, VOTEU")
    guard: Cycles = Field(description="to the guard of any reader")


class RegisterFile(Section):
    read_ports: Count = Field(le=8, description="of each of the two banks; 1024 bits each")
    write_ports: Count = Field(le=8, description="of each of the two banks; 1024 bits each")
    read_window: Count = Field(le=8, description="cycles in which a fixed-latency op reads")
    wide_read_window: Count = Field(le=8, description="the same with an operand of 4 registers")
    cache: bool = Field(description="the register-file cache exists")


class ResultQueue(Section):
    """Fixed-latency results in front of the write ports: a regular and a uniform queue."""

    reserve: bool = Field(description="places are taken at issue, one is written in a cycle")
    entries: Count = Field(description="places of each queue, if they are taken at issue")


class Pipes(Section):
    opcode_map: Literal["hardware", "authors"] = Field(
        description="units of F2FP, I2I, POPC, FMNMX, ...: the hardware's, or those of the authors"
    )
    fp16_on_integer_pipe: bool = Field(description="packed FP16 may also use the integer pipe")
    finish_conflict: bool = Field(description="one result of a pipe in a cycle; Allocate waits")
    fp32_on_integer_pipe: bool = Field(description="FP32 may also use the integer pipe")
    fp16_pipe: bool = Field(description="packed FP16 has a pipe of its own")


class Latency(Section):
    """Timing of one latency class, see `isa/opcodes.csv`."""

    interval: Count = Field(description="cycles the unit's input stays taken")
    latency: Count = Field(description="issue of the producer to issue of its consumer")
    read: Cycles = Field(default=0, description="issue to release of the sources, if variable")


class Tensor(Section):
    """Dense multiply-accumulates of a sub-core per cycle, by input and accumulator."""

    timing: Literal["rate", "bits"] = Field(
        description="interval by the rates below, or M N K bits / 4096, bits as the opcode says"
    )
    f32_extra: Cycles = Field(description="bits only: added for HMMA.16816.F32 and HMMA.1688.F32")
    f16_f16: Count = Field(description="half floats, half accumulator")
    f16_f32: Count = Field(description="half floats, float accumulator")
    bf16_f32: Count = Field(description="bfloat16, float accumulator")
    tf32_f32: Count = Field(description="TF32, float accumulator")
    int8: Count = Field(description="8-bit integers")
    int4: Count = Field(description="4-bit integers")
    bit: Count = Field(description="single bits")
    small_latency: Cycles = Field(description="added to the interval, K at most 8")
    large_latency: Cycles = Field(description="added to the interval, larger K")


class Fp64(Section):
    operand_cycles: Cycles = Field(description="operand transfer per register source")
    transfer_cycles: Cycles = Field(description="issue to the end of transfer, without operands")
    interval: Count = Field(description="cycles between two instructions in the SM's unit")
    result_cycles: Cycles = Field(description="from the unit's input to the first result beat")
    queue: Count = Field(le=8, description="instructions a sub-core may hold")


class AddressTiming(Section):
    """One kind of memory instruction on its way to the SM; cycles for 32, 64 and 128 bits.

    With `read_with_result` the sources are released together with the result and `read` is void.
    """

    occupancy: tuple[Count, Count, Count] = Field(description="cycles the address stage is taken")
    grant: tuple[Cycles, Cycles, Cycles] = Field(description="issue to grant, unloaded")
    read: tuple[Cycles, Cycles, Cycles] = Field(description="issue to release of the sources")
    read_with_result: bool = Field(default=False, description="sources and result free together")


class LocalUnit(Section):
    capacity: Count = Field(le=8, description="memory instructions issued and not granted")
    issue_to_read: Count = Field(description="issue to the read of the address registers")
    admit: Literal["issue", "control"] = Field(
        description="where a variable-latency instruction waits for its unit: issue, or Control"
    )
    load_global: AddressTiming = Field(description="LDG, LDL, LD and atomics")
    load_global_uniform: AddressTiming = Field(description="the same, one address")
    store_global: AddressTiming = Field(description="STG, STL, ST, with per-thread address")
    store_global_uniform: AddressTiming = Field(description="the same, one address")
    load_shared: AddressTiming = Field(description="LDS, LDSM, ATOMS")
    load_shared_uniform: AddressTiming = Field(description="the same, one address")
    store_shared: AddressTiming = Field(description="STS")
    store_shared_uniform: AddressTiming = Field(description="the same, one address")
    load_constant: AddressTiming = Field(description="LDC, register address")
    load_constant_immediate: AddressTiming = Field(description="LDC, immediate address")
    async_copy: AddressTiming = Field(description="LDGSTS")
    other: AddressTiming = Field(description="SHFL, S2R and others without access")


class DataPath(Section):
    """From the grant to the first beat of write-back, and the beats; unloaded, all hits."""

    entry: Cycles = Field(description="from the grant to the pending request table")
    l1: Cycles = Field(description="from the table to the data, L1D hit")
    shared: Cycles = Field(description="the same, shared memory, per-thread addresses")
    shared_uniform: Cycles = Field(description="the same, one address")
    shared_wide: tuple[Cycles, Cycles, Cycles] = Field(description="added for 32, 64, 128 bits")
    shared_atomic_passes: int = Field(
        ge=0,
        description="of a lane of an atomic through its bank of shared memory; 0: as a load",
    )
    constant: Cycles = Field(description="the same, L0 VL constant cache hit")
    async_copy: Cycles = Field(description="the same, LDGSTS: the global read is done")
    texture: Cycles = Field(description="the same, textures and surfaces, whatever they find")
    other: Cycles = Field(description="the same, SHFL and S2R")
    beat_cycles: Count = Field(description="cycles to return one 32-bit register of a warp")
    shared_registers_per_beat: Count = Field(le=2, description="registers in those cycles, LDS")


class MemoryUnit(Section):
    grant_interval: Count = Field(description="cycles between two grants of an SM")
    arbiter: Literal["round_robin", "fixed"] = Field(
        description="which sub-core is served: in turn, or the first that has an instruction"
    )
    exit_waits_for_stores: bool = Field(
        description="a warp keeps its place until the L2 has acknowledged its stores"
    )
    pending_requests: Count = Field(le=128, description="loads that may be outstanding")
    texture_interval: Count = Field(description="cycles of a warp in the SM's texture unit")


class L1D(Section):
    size_kib: Count = Field(le=128, description="unified L1 data cache and shared memory")
    sets: Count = Field(le=4, description="sets of the tags")
    line_bytes: Count = Field(description="bytes of a line")
    sector_bytes: Count = Field(description="bytes fetched or valid together")
    carveouts_kib: tuple[int, ...] = Field(description="sizes that shared memory may take")
    data_banks: PowerOfTwo = Field(le=64, description="banks of the data stage")
    bank_bytes: PowerOfTwo = Field(description="width of a bank")
    stage_cycles: Count = Field(description="cycles of one wavefront in the data stage")
    mshrs: Count = Field(le=512, description="line requests that may be outstanding")
    miss_latency: Cycles = Field(description="from the table to the request to L2, L1D miss")
    store_allocates: bool = Field(description="stores leave their data in the L1D")
    hints: bool = Field(description="EF, LU and NA say where a loaded line goes, or nothing")
    invalidated_by: Literal["cctl", "membar"] = Field(
        description="what empties the L1D: CCTL.IVALL, or each MEMBAR"
    )


class Barrier(Section):
    latency: Cycles = Field(description="issue of the last BAR to the first issue after it")
    ids: Literal["decoded", "single"] = Field(
        description="number, count and ARV as encoded, or each BAR as SYNC of the whole CTA"
    )


class Fence(Section):
    """MEMBAR, by the scope in its name."""

    holds: Literal["warp", "cta"] = Field(
        description="its own warp; or all warps of the CTA meet, then the SM issues nothing"
    )
    cta_cycles: Cycles = Field(description="issue of MEMBAR.CTA to the next issue, at least")
    gpu_cycles: Cycles = Field(description="the same, MEMBAR.GPU")
    system_cycles: Cycles = Field(description="the same, MEMBAR.SYS")


class AsyncCopy(Section):
    commit: Literal["group", "wait"] = Field(
        description="LDGDEPBAR closes a group of LDGSTS, or waits until all are done"
    )
    uses_data_stage: bool = Field(
        description="an LDGSTS takes cycles of the data stage when it writes to shared memory"
    )


class Sm(Section):
    occupancy: Occupancy
    fetch: Fetch
    l0i: L0I
    stream_buffer: StreamBuffer
    l1i: L1I
    l0_constant: L0Constant
    l0_vl: L0VL
    issue: Issue
    dependence: Dependence
    bypass: Bypass
    register_file: RegisterFile
    result_queue: ResultQueue
    pipes: Pipes
    latency: dict[str, Latency]
    tensor: Tensor
    fp64: Fp64
    local_unit: LocalUnit
    data_path: DataPath
    memory_unit: MemoryUnit
    l1d: L1D
    barrier: Barrier
    fence: Fence
    async_copy: AsyncCopy


class Interconnect(Section):
    reply_bytes: Count = Field(description="data that an SM receives per cycle")
    gpcs: Count = Field(le=16, description="GPCs, which take turns in the numbers of the SMs")
    gpc_bytes: Cycles = Field(description="data of a GPC per cycle and direction; 0: no limit")


class Translation(Section):
    """Address translation by a table in each GPC, least recently used pages replaced."""

    miss_cycles: Cycles = Field(description="until a page not in the table is; 0: no translation")
    page_bytes: Count = Field(description="bytes of a page")
    pages: Count = Field(le=64, description="pages in a table")


class L2(Section):
    size_kib: Count = Field(description="data of all slices")
    slices: Count = Field(le=128, description="slices, each with ports of a sector per cycle")
    ways: Count = Field(le=32, description="lines of a set")
    line_bytes: Count = Field(description="bytes of a line")
    mshrs: Count = Field(le=256, description="misses of a slice that may be outstanding")
    round_trip: Count = Field(description="request of an SM to its reply, L2 hit, unloaded")
    atomic_latency: Cycles = Field(description="added to the round trip by an atomic")
    between_kernels: Literal["keep", "clear", "clear_some"] = Field(
        description="a kernel finds what the one before left; or nothing, dirty sectors are lost; "
        "or nothing in as many slices as there are channels"
    )
    memcpy_fills_l2: bool = Field(
        description="what the host copied or set before a kernel is there, as its end has room"
    )
    prefetch_hints: bool = Field(description="LTC64B, LTC128B: bytes that a miss fetches")
    atomic_interval: Count = Field(
        description="cycles of an atomic in its slice: per sector, and per lane with the same word"
    )
    atomic_gap: Cycles = Field(description="cycles between two atomics on one sector, at least")


class Dram(Section):
    """The memory behind the L2. Timings of rows and columns are those of the chips."""

    latency: Cycles = Field(description="added to the L2's round trip by an L2 miss, unloaded")
    channels: Count = Field(le=32, description="channels, each with its share of the slices")
    row_bytes: Count = Field(description="bytes of a channel's row")
    burst_clocks: float = Field(gt=0, description="memory clocks of a sector on a channel's bus")
    rcd_ns: float = Field(ge=0, description="activate to read")
    cl_ns: float = Field(ge=0, description="read to data")
    rp_ns: float = Field(ge=0, description="precharge to activate")
    rtp_ns: float = Field(ge=0, description="read to precharge")
    rc_ns: float = Field(ge=0, description="activate to activate, same bank")
    rrd_ns: float = Field(ge=0, description="activate to activate, same channel")
    faw_ns: float = Field(ge=0, description="time in which a channel activates at most 4 rows")
    wtr_ns: float = Field(ge=0, description="end of write data to read")
    read_to_write_ns: float = Field(ge=0, description="bus idle between read and write data")
    refresh_share: float = Field(ge=0, lt=1, description="share of bus time lost to refresh")
    write_batch: Count = Field(description="sectors that wait in a channel before it writes")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.row_bytes % 128:
            raise ValueError("row_bytes has to be a multiple of a line's 128 bytes")
        return self


class Gpu(Section):
    """One GPU."""

    name: str
    arch: str = Field(pattern=r"^sm_\d+$")
    sms: Count = Field(le=256)
    clock: Clock
    launch: Launch
    sm: Sm
    interconnect: Interconnect
    translation: Translation
    l2: L2
    dram: Dram

    @model_validator(mode="after")
    def _memory_divides(self) -> Self:
        if self.l2.slices % self.dram.channels:
            raise ValueError("l2.slices has to be a multiple of dram.channels")
        if self.l2.size_kib * 1024 < self.l2.slices * self.l2.ways * self.l2.line_bytes:
            raise ValueError("l2.size_kib has to hold at least one set per slice")
        return self
