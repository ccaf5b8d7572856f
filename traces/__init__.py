"""What the warps of a kernel did: traces, their files, and how to make them without a GPU."""

from .load import load

__all__ = ["load"]
