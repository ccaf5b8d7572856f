"""The kernel zoo: CUDA C++ kernels of many kinds, with inputs and the results they must give.

`python -m warpwise.validation.kernels` lists them; `trace_zoo(name, arch)` emulates and checks one.
"""

from .zoo import ARCHITECTURES, ZOO, trace_zoo

__all__ = ["ARCHITECTURES", "ZOO", "trace_zoo"]
