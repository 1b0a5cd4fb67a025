"""Percentiles are correct to within half a percent."""

import numpy as np
import pytest

from edgeclf.runtime.live.latency import Latency


@pytest.mark.parametrize("percent", [1, 50, 95, 99, 100])
def test_percentiles_match_the_exact_ones(percent: int) -> None:
    times = np.random.default_rng(0).lognormal(-3.5, 0.6, 5_000)
    latency = Latency()
    for time in times:
        latency.add(time)
    exact = 1000 * np.percentile(times, percent, method="inverted_cdf")
    assert latency.percentile_ms(percent) == pytest.approx(exact, rel=0.0051)


def test_without_latencies_there_are_no_percentiles() -> None:
    assert Latency().to_json() == {"p50": None, "p95": None, "p99": None}


def test_a_latency_of_zero_is_no_error() -> None:
    latency = Latency()
    latency.add(0.0)
    assert latency.percentile_ms(50) == pytest.approx(0.001, rel=0.01)
