"""The comparison with Pillow's resize."""

from edgeclf.benchmarks.photographs import photograph
from edgeclf.benchmarks.pillow_resize import measure


def test_no_byte_differs_and_both_take_time_in_one_thread_and_in_two() -> None:
    images = [photograph(60, 80, seed) for seed in range(3)]

    for threads in (1, 2):
        measured = measure(images, (24, 32), "bicubic", 1, threads)

        assert measured.differing == 0
        assert measured.pillow_ms > 0
        assert measured.ratio > 0
