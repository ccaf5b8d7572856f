"""What a program learns about the simulated GPU: cudaDeviceProp and the device attributes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from ...isa.program import Program
from ..emulator.device import MAX_SHARED_BYTES, MAX_THREADS

MEMORY_BYTES = 8 << 30  # of device memory that a program may allocate
SHARED_BYTES = 48 * 1024  # of a CTA, without cudaFuncSetAttribute
CONSTANT_BYTES = 64 * 1024
CTA_SHAPE, GRID_SHAPE = (1024, 1024, 64), (2**31 - 1, 65535, 65535)
PROPERTY_BYTES = {12: 1032, 13: 1008}  # sizeof(cudaDeviceProp)


@dataclass(frozen=True)
class GpuFacts:
    """A GPU as programs see it; `occupancy` counts resident CTAs for threads and dynamic shared."""

    name: str
    arch: str  # "sm_86"
    sms: int
    core_khz: int
    dram_khz: int
    l2_bytes: int
    warps: int  # resident, of an SM
    ctas: int
    registers: int
    shared_bytes: int  # of an SM
    shared_reserved_bytes: int  # of a CTA
    occupancy: Callable[[Program, int, int], int]

    @property
    def capability(self) -> tuple[int, int]:
        major, minor = divmod(int(self.arch.removeprefix("sm_")), 10)
        return major, minor

    @property
    def shared_optin_bytes(self) -> int:
        return min(self.shared_bytes - self.shared_reserved_bytes, MAX_SHARED_BYTES)


# Fields of cudaDeviceProp in order, as struct formats; `12:` marks those that CUDA 13 dropped.
# Public ABI, from the field lists of the headers driver_types.h of both versions.
FIELDS = """
name:256s uuid:16s luid:8s luidDeviceNodeMask:I totalGlobalMem:N sharedMemPerBlock:N regsPerBlock:i
warpSize:i memPitch:N maxThreadsPerBlock:i maxThreadsDim:3i maxGridSize:3i 12:clockRate:i
totalConstMem:N major:i minor:i textureAlignment:N texturePitchAlignment:N 12:deviceOverlap:i
multiProcessorCount:i 12:kernelExecTimeoutEnabled:i integrated:i canMapHostMemory:i
12:computeMode:i maxTexture1D:i maxTexture1DMipmap:i 12:maxTexture1DLinear:i textures:23i
surfaces:14i surfaceAlignment:N concurrentKernels:i ECCEnabled:i pci:3i tccDriver:i
asyncEngineCount:i unifiedAddressing:i 12:memoryClockRate:i memoryBusWidth:i l2CacheSize:i
persistingL2CacheMaxSize:i maxThreadsPerMultiProcessor:i streamPrioritiesSupported:i
globalL1CacheSupported:i localL1CacheSupported:i sharedMemPerMultiprocessor:N
regsPerMultiprocessor:i managedMemory:i isMultiGpuBoard:i multiGpuBoardGroupID:i
hostNativeAtomicSupported:i 12:singleToDoublePrecisionPerfRatio:i pageableMemoryAccess:i
concurrentManagedAccess:i computePreemptionSupported:i canUseHostPointerForRegisteredMem:i
cooperativeLaunch:i 12:cooperativeMultiDeviceLaunch:i sharedMemPerBlockOptin:N
pageableMemoryAccessUsesHostPageTables:i directManagedMemAccessFromHost:i
maxBlocksPerMultiProcessor:i accessPolicyMaxWindowSize:i reservedSharedMemPerBlock:N
"""

# Numbers of cudaDeviceAttr for values that have a name above.
ATTRIBUTES = {
    1: "maxThreadsPerBlock",
    8: "sharedMemPerBlock",
    9: "totalConstMem",
    10: "warpSize",
    12: "regsPerBlock",
    13: "clockRate",
    16: "multiProcessorCount",
    19: "canMapHostMemory",
    31: "concurrentKernels",
    36: "memoryClockRate",
    38: "l2CacheSize",
    39: "maxThreadsPerMultiProcessor",
    40: "asyncEngineCount",
    41: "unifiedAddressing",
    75: "major",
    76: "minor",
    79: "globalL1CacheSupported",
    80: "localL1CacheSupported",
    81: "sharedMemPerMultiprocessor",
    82: "regsPerMultiprocessor",
    83: "managedMemory",
    95: "cooperativeLaunch",
    97: "sharedMemPerBlockOptin",
    106: "maxBlocksPerMultiProcessor",
    111: "reservedSharedMemPerBlock",
}
SHAPES = {2: CTA_SHAPE[0], 3: CTA_SHAPE[1], 4: CTA_SHAPE[2]} | dict(
    zip((5, 6, 7), GRID_SHAPE, strict=True)
)


def values(gpu: GpuFacts) -> dict[str, int]:
    """The properties that are numbers and not zero."""
    major, minor = gpu.capability
    return {
        "totalGlobalMem": MEMORY_BYTES,
        "sharedMemPerBlock": SHARED_BYTES,
        "regsPerBlock": gpu.registers,
        "warpSize": 32,
        "memPitch": 2**31 - 1,
        "maxThreadsPerBlock": MAX_THREADS,
        "clockRate": gpu.core_khz,
        "totalConstMem": CONSTANT_BYTES,
        "major": major,
        "minor": minor,
        "textureAlignment": 512,
        "texturePitchAlignment": 32,
        "multiProcessorCount": gpu.sms,
        "canMapHostMemory": 1,
        "concurrentKernels": 1,
        "asyncEngineCount": 1,
        "unifiedAddressing": 1,
        "memoryClockRate": gpu.dram_khz,
        "l2CacheSize": gpu.l2_bytes,
        "maxThreadsPerMultiProcessor": gpu.warps * 32,
        "globalL1CacheSupported": 1,
        "localL1CacheSupported": 1,
        "sharedMemPerMultiprocessor": gpu.shared_bytes,
        "regsPerMultiprocessor": gpu.registers,
        "managedMemory": 1,
        "cooperativeLaunch": 1,
        "sharedMemPerBlockOptin": gpu.shared_optin_bytes,
        "maxBlocksPerMultiProcessor": gpu.ctas,
        "reservedSharedMemPerBlock": gpu.shared_reserved_bytes,
    }


def device_properties(gpu: GpuFacts, cuda: int) -> bytes:
    """The structure cudaDeviceProp of CUDA 12 or 13."""
    known: dict[str, tuple[bytes | int, ...]] = {name: (n,) for name, n in values(gpu).items()}
    known |= {
        "name": (gpu.name.encode()[:255],),
        "maxThreadsDim": CTA_SHAPE,
        "maxGridSize": GRID_SHAPE,
    }
    layout, content = "@", list[bytes | int]()
    for field in FIELDS.split():
        *version, name, kind = field.split(":")
        if version and cuda != 12:
            continue
        layout += kind
        missing = (b"",) if kind.endswith("s") else (0,) * int(kind[:-1] or 1)
        content += known.get(name, missing)
    return struct.pack(layout, *content).ljust(PROPERTY_BYTES[cuda], b"\0")


def device_attribute(gpu: GpuFacts, number: int) -> int:
    """A cudaDeviceAttr; 0, that is "no", for those about what is not emulated."""
    return SHAPES.get(number) or values(gpu).get(ATTRIBUTES.get(number, ""), 0)
