"""Percentiles that are right to half a percent, whatever the number of times."""

import numpy as np
import pytest

from edgeclf.runtime.live.latency import Latency


@pytest.mark.parametrize("percent", [1, 50, 95, 99, 100])
def test_percentiles_are_those_of_the_times(percent: int) -> None:
    times = np.random.default_rng(0).lognormal(-3.5, 0.6, 5_000)
    latency = Latency()
    for time in times:
        latency.add(time)
    exact = 1000 * np.percentile(times, percent, method="inverted_cdf")
    assert latency.percentile_ms(percent) == pytest.approx(exact, rel=0.0051)


def test_without_a_time_there_is_no_percentile() -> None:
    assert Latency().to_json() == {"p50": None, "p95": None, "p99": None}


def test_a_clock_that_stands_still_is_no_error() -> None:
    latency = Latency()
    latency.add(0.0)
    assert latency.percentile_ms(50) == pytest.approx(0.001, rel=0.01)
