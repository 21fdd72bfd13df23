"""Bursts of 100 KiB and more come and go thousands of times a second: let malloc keep their memory.

By default glibc gives such a block back to the system when it is freed and takes it anew, page fault by page fault, for
the next burst; that halved the speed of chains of light blocks. The thresholds hold for the whole process.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_KEEP_BYTES, _LARGE_BYTES = 256 << 20, 32 << 20


@cache
def keep_freed_memory() -> bool:
    """Keep up to 256 MiB of freed memory; whether it was done. Without glibc, or where the user has set it: no."""
    if any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEEP_BYTES) and mallopt(_MMAP_THRESHOLD, _LARGE_BYTES))
