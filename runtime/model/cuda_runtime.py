"""NVIDIA's CUDA runtime, for what onnxruntime's Python interface lacks: page-locked memory, and the reason why CUDA fails.

https://docs.nvidia.com/cuda/cuda-runtime-api/
"""

import ctypes
import functools
import sys
import weakref

import numpy as np
import onnxruntime as ort

from edgeclf.runtime.images.decode import Pixels

_PORTABLE = 1  # cudaHostAllocPortable: page-locked for every GPU, whichever one the thread uses


def page_locked(shape: tuple[int, ...], gpu: int) -> Pixels:
    """An uninitialised uint8 array that the GPU can copy without the processor; ordinary memory if CUDA refuses."""
    try:
        return np.asarray(_HostMemory(int(np.prod(shape)), gpu)).reshape(shape)
    except (OSError, MemoryError):
        return np.empty(shape, np.uint8)


def cuda_problem() -> str:
    """CUDA's own message if no GPU can be used; "" if one can, or if the CUDA runtime is not installed."""
    try:
        status = _runtime().cudaGetDeviceCount(ctypes.byref(ctypes.c_int()))
    except OSError:
        return ""
    return str(_runtime().cudaGetErrorString(status).decode("ascii", "replace")) if status else ""


class _HostMemory:
    """Memory from CUDA, freed with the last array on it. Raises OSError without CUDA, MemoryError if none is left."""

    def __init__(self, size_bytes: int, gpu: int) -> None:
        pointer = ctypes.c_void_p()
        # A thread uses the first GPU until it selects one, and would allocate on a GPU that was not asked for.
        if _runtime().cudaSetDevice(gpu) or _runtime().cudaHostAlloc(ctypes.byref(pointer), size_bytes, _PORTABLE):
            raise MemoryError(f"CUDA cannot allocate {size_bytes} bytes of page-locked memory")
        weakref.finalize(self, _runtime().cudaFreeHost, pointer).atexit = False
        self.__array_interface__ = {
            "version": 3,
            "shape": (size_bytes,),
            "typestr": "|u1",
            "data": (pointer.value, False),
        }


@functools.cache
def _runtime() -> ctypes.CDLL:
    """The CUDA runtime that onnxruntime was built for, usually loaded already. Raises OSError if there is none."""
    major = getattr(ort, "cuda_version", "").partition(".")[0]
    if not major:
        raise OSError("this onnxruntime is built without CUDA")
    library = ctypes.CDLL(f"cudart64_{major}.dll" if sys.platform == "win32" else f"libcudart.so.{major}")
    library.cudaHostAlloc.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_uint]
    library.cudaFreeHost.argtypes = [ctypes.c_void_p]
    library.cudaGetErrorString.restype = ctypes.c_char_p
    return library
