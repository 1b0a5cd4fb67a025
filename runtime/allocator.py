"""glibc's memory allocator, told to keep what it has.

By default it hands a decoded image's pages back to the system and asks for fresh ones for the next: fifty page faults an
image, under a lock that all threads of the process share. Kept, two threads reach 0.9 of twice one thread, not 0.8.
"""

import ctypes
import functools
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
_MMAP_ABOVE = 32 << 20  # the highest value glibc takes
_TRIM_ABOVE = 512 << 20


@functools.cache
def keep_freed_memory() -> None:
    """Reuse blocks of up to 32 MB instead of returning them; once a process. Elsewhere than on glibc, nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _MMAP_ABOVE)
    mallopt(_M_TRIM_THRESHOLD, _TRIM_ABOVE)
