"""One `BenchResult` for each candidate, from all of its rounds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeclf.benchmarks.bench.accuracy import MeasuredAccuracy
from edgeclf.benchmarks.bench.candidates import Candidate
from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.report import BenchResult, ColdStart, Latency
from edgeclf.benchmarks.bench.rounds import RoundResult
from edgeclf.export.timing import Performance, pareto


def summarize(
    measured: Mapping[Candidate, Sequence[RoundResult]], accuracy: MeasuredAccuracy | None
) -> tuple[BenchResult, ...]:
    first = [each.measurement.rate for each in next(iter(measured.values()))]
    results = [_summarize(candidate, rounds, first, accuracy) for candidate, rounds in measured.items()]
    costs = [
        Performance(1e3 / each.rate, each.accuracy.correct if each.accuracy else 0, each.size_bytes) for each in results
    ]
    return tuple(replace(result, best=best) for result, best in zip(results, pareto(costs), strict=True))


def median_cold_start(starts: Sequence[ColdStart]) -> ColdStart:
    memory = [start.memory_bytes for start in starts if start.memory_bytes is not None]
    return ColdStart(
        statistics.median(start.seconds for start in starts),
        statistics.median(start.cpu_seconds for start in starts),
        int(statistics.median(memory)) if memory else None,
    )


def _summarize(
    candidate: Candidate, rounds: Sequence[RoundResult], first: Sequence[float], accuracy: MeasuredAccuracy | None
) -> BenchResult:
    """first: rates of the first candidate, by round."""
    measurements = [each.measurement for each in rounds]
    rates = tuple(each.rate for each in measurements)
    limits = tuple(each.limit for each in measurements if each.limit is not None)
    peaks = [each.memory_bytes for each in measurements if each.memory_bytes is not None]
    run_ms = [ms for each in measurements for ms in each.run_ms]
    return BenchResult(
        name=candidate.name,
        path=str(candidate.model),
        size_bytes=candidate.model.stat().st_size,
        engine=measurements[0].engine,
        device=measurements[0].device,
        batch=statistics.mode(each.batch for each in measurements),
        threads=candidate.threads,
        rates=rates,
        limits=limits,
        ratio=ratios(rates, first),
        of_limit=ratios(rates, limits) if limits else None,
        latency=Latency(*np.percentile(run_ms, (50, 90, 99)).tolist()),
        memory_bytes=max(peaks, default=None),
        cold_start=median_cold_start([each.cold_start for each in rounds]),
        accuracy=accuracy.by_model[candidate.model, candidate.device] if accuracy else None,
        best=False,
        auto_batch=candidate.batch is None,
    )
