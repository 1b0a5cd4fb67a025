"""Histograms of the activations, from which entropy and percentile calibration choose the ranges."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector, entropy
from onnxruntime.quantization.quant_utils import smooth_distribution

ENTROPY_BINS, QUANTIZED_BINS = 512, 128
"""Bins of the histogram, and of its quantised form, which shows the loss of a range. With equal numbers, which is
onnxruntime's default, only the full range would be tried.
"""
PERCENTILE_BINS, PERCENTILE = 2048, 99.99
_NUMBERS = 1 << 20
"""Numbers of one tensor that are counted, over all images: about a hundred of them lie above the percentile. Counting all
would take most of the time of a calibration.
"""
_Counts = NDArray[np.int64]


class Histograms(HistogramCollector):  # type: ignore[misc]
    """onnxruntime's collector with fixed bins. It counts a sample of each tensor, and prints nothing.

    method: `entropy` or `percentile`, with the parameters that ONNX and TFLite share. ranges: the smallest and the largest
    value of each tensor. Without them, the first image sets the width of the bins, and an image with numbers a million
    times as large needs a million times as many bins. images: how many will be collected.
    """

    def __init__(self, method: str, ranges: Mapping[Any, tuple[float, float]], images: int) -> None:
        is_entropy = method == "entropy"
        super().__init__(
            method=method,
            symmetric=False,
            num_bins=ENTROPY_BINS if is_entropy else PERCENTILE_BINS,
            num_quantized_bins=QUANTIZED_BINS if is_entropy else None,
            percentile=None if is_entropy else PERCENTILE,
            scenario=None,
        )
        self._numbers = -(-_NUMBERS // images)
        self._images = 0
        self.collect_value({name: [np.array(ends, np.float32)] for name, ends in ranges.items()})

    def collect(self, name_to_arr: Mapping[Any, Any]) -> None:
        """Count the tensors of one image. The sample begins at another place of each, so that it meets every channel."""
        self.collect_value({name: [self._sample(one) for one in arrays] for name, arrays in name_to_arr.items()})
        self._images += 1

    def _sample(self, values: Any) -> Any:
        flat = np.ravel(values)
        step = max(1, flat.size // self._numbers)
        return flat[self._images % step :: step]

    def get_entropy_threshold(self, histogram: tuple[Any, ...], num_quantized_bins: int) -> tuple[Any, Any]:
        """The result of onnxruntime's own method, which adds up single bins in Python and takes seconds for a network."""
        counts, edges, lowest, highest = histogram[:4]
        middle, narrowest = counts.size // 2, num_quantized_bins // 2
        running = np.concatenate([[0], np.cumsum(counts)])
        ends = [(middle - half, min(middle + half + 1, counts.size)) for half in range(narrowest, middle + 1)]
        divergences = [_divergence(counts, running, start, end, num_quantized_bins) for start, end in ends]
        start, end = ends[int(np.argmin(np.array(divergences, edges.dtype)))]
        return max(edges[start], lowest), min(edges[end], highest)


def _divergence(counts: _Counts, running: _Counts, start: int, end: int, levels: int) -> float:
    """How much a histogram loses if only the bins from `start` to `end` are kept and merged into a few levels.

    running: the sum of the counts before each bin, and of all.
    """
    kept = counts[start:end].copy()
    kept[0] += running[start]
    kept[-1] += running[-1] - running[end]
    width = kept.size // levels
    borders = start + width * np.arange(levels + 1)
    borders[-1] = end  # the last level has what is left over
    occupied = (kept != 0)[: width * levels].reshape(levels, width).sum(axis=1)
    shares = (np.diff(running[borders]) / np.maximum(occupied, 1)).astype(np.int64)
    merged = np.zeros_like(kept)
    merged[: width * levels] = np.repeat(np.where(occupied, shares, 0), width)
    before, after = smooth_distribution(kept), smooth_distribution(merged)
    return float("inf") if before is None or after is None else float(entropy(before, after))
