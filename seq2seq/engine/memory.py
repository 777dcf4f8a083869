"""Memory that is freed stays with the process, for its next tensors.

Large tensors come and go with every layer of a long text. glibc takes each from the system and gives it back, and the
system clears it page by page each time: a tenth of the time at 8,192 tokens, a third of a training step. What a whole
model has left is another matter: it is given back.

oneDNN makes a program for every size of what it multiplies, and keeps a thousand by itself and as many for torch.
Answering 380 questions about texts of 1 to 900 words took 546 MB so, and still grew; with few of them kept 454 MB,
level from the first hundred on, at the same speed. MKL keeps for each thread what its largest product has needed: with
a hundred visitors 825 MB after four minutes, and still growing in the fourth; without 751 MB, at the same speed.
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's names, in malloc.h
LARGEST_KEPT = 2**28  # bytes of one tensor
MOST_KEPT = 2**30  # bytes in an arena
ARENAS = 2  # by default eight a core, each with what its threads had at most
SPARING = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",  # programs
    "LRU_CACHE_CAPACITY": "32",  # of those, by torch
    "MKL_DISABLE_FAST_MM": "1",  # memory for each thread
}


def have_libraries_keep_little() -> None:
    """To be called before anything is computed; what the host has set stays."""
    for name, value in SPARING.items():
        os.environ.setdefault(name, value)


def keep_freed_memory() -> bool:
    """Whether this process now keeps freed memory for its next tensors. Other systems than glibc's stay as they are."""
    if not has_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {M_MMAP_THRESHOLD: LARGEST_KEPT, M_TRIM_THRESHOLD: MOST_KEPT, M_ARENA_MAX: ARENAS}
    return all(mallopt(*each) for each in wanted.items())


def give_freed_memory_back() -> None:
    """To the system, as far as it was kept; nothing where that is not glibc's."""
    if has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
