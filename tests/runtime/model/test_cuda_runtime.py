"""Page-locked memory is an ordinary array, with and without CUDA."""

import gc

import numpy as np
import pytest

from edgeclf.runtime.model.cuda_runtime import cuda_problem, page_locked
from edgeclf.runtime.model.providers import try_providers


def test_an_array_is_allocated_with_and_without_cuda() -> None:
    array = page_locked((3, 8, 8, 3), 0)
    array[:] = 7

    assert (array.shape, array.dtype, int(array.sum())) == ((3, 8, 8, 3), np.uint8, 3 * 8 * 8 * 3 * 7)


def test_a_view_keeps_the_memory_alive() -> None:
    view = page_locked((1000, 1000), 0)[500:, ::2]
    view[:] = 3
    gc.collect()
    page_locked((1000, 1000), 0)[:] = 9

    assert set(view.ravel().tolist()) == {3}


@pytest.mark.skipif(bool(try_providers()["CUDAExecutionProvider"]), reason="CUDA does not start here")
def test_cuda_reports_no_problem_if_it_starts() -> None:
    assert cuda_problem() == ""
