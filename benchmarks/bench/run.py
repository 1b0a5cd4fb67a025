"""One run of `clf-bench`: who takes part, on which images, how they answer, how fast they are, and what follows."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeclf.benchmarks.bench.accuracy import Exam, examine, open_all
from edgeclf.benchmarks.bench.baseline import Baseline
from edgeclf.benchmarks.bench.candidates import Contender, enter, find_models, short_names
from edgeclf.benchmarks.bench.evidence import Evidence, gather
from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.recommendation import GATES, Gates, decide
from edgeclf.benchmarks.bench.report import ColdStart, Latency, Reference, Report, Row
from edgeclf.benchmarks.bench.rounds import Trial, measure, start_cold
from edgeclf.benchmarks.machine import load, this_machine
from edgeclf.export.timing import Performance, pareto
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.terminal.console import note
from edgeclf.train.answering import AnyModel, open_any

COLD_STARTS = 3
"""Of Keras; each takes some ten seconds."""


@dataclass(frozen=True)
class Options:
    """What is asked of `clf-bench`; see its help.

    batches: None among them is the one that `clf-run` would find. threads: none named means all usable cores.
    """

    models: tuple[Path, ...]
    data: Path | None = None
    against: Path | None = None
    batches: tuple[int | None, ...] = (None,)
    devices: tuple[str, ...] = ("auto",)
    threads: tuple[int, ...] = ()
    end_to_end: bool = True
    rounds: int = 5
    seconds: float = 2.0
    limit: int = 2000
    gates: Gates = GATES
    baseline: Path | None = None
    max_regression: float = 0.1


def bench(options: Options) -> Report:
    """Measure, compare and decide. A gate that is missed is no error here but a `Report` with misses.

    Raises ModelError, DeviceError, DatasetError or OptionError.
    """
    baseline = Baseline(options.baseline) if options.baseline else None
    if baseline:
        baseline.check(options.end_to_end)
    models = find_models(options.models)
    path = _among(models, options.against)
    names = _names((path, *models))
    contenders = enter({model: names[model] for model in models}, options.devices, options.batches, _threads(options))
    machine, load_before = this_machine(), load()
    reference = open_any(path)
    opened = open_all(reference, [(contender.model, contender.device) for contender in contenders])
    with gather((path, *models), reference.card, options.data, options.limit) as evidence:
        exam = _examine(reference, opened, evidence, options.gates)
        opened.clear()  # the memory is for the trials
        trials, left_out = measure(contenders, evidence.read, options.rounds, options.seconds, end_to_end=options.end_to_end)
        keras = _start_keras(path, evidence.read[0], options.rounds)
    rows = _rows(trials, exam)
    compared = Reference(names[path], exam.reference, keras, path.stat().st_size) if exam else None
    verdict = decide(rows, compared, options.gates)
    images = evidence.origin + (f", without {exam.unread:,} that cannot be read" if exam and exam.unread else "")
    load_after = load()
    return Report(
        rows=rows,
        reference=compared,
        images=images,
        end_to_end=options.end_to_end,
        rounds=options.rounds,
        seconds=options.seconds,
        machine=machine,
        load=None if load_before is None or load_after is None else (load_before, load_after),
        ship=verdict.ship,
        because=verdict.because,
        notes=(*left_out, *verdict.notes, *(baseline.notes(rows, machine, images) if baseline else ())),
        misses=(*verdict.misses, *(baseline.regressions(rows, options.max_regression) if baseline else ())),
    )


def _threads(options: Options) -> tuple[int, ...]:
    return options.threads or (usable_cores(),)


def _among(models: Sequence[Path], against: Path | None) -> Path:
    """The reference: as it is spelt among the models, where it is one of them."""
    if against is None:
        return models[0]
    return next((model for model in models if model.resolve() == against.resolve()), against)


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    distinct = tuple(dict.fromkeys(paths))
    return dict(zip(distinct, short_names(distinct), strict=True))


def _examine(
    reference: AnyModel, opened: Mapping[tuple[Path, str], AnyModel], evidence: Evidence, gates: Gates
) -> Exam | None:
    if evidence.labelled is not None:
        return examine(reference, opened, evidence.labelled)
    if gates.max_drop is not None:
        raise OptionError("--max-drop needs labelled images, and there are none; name some with --data DIR")
    return None


def _start_keras(path: Path, image: str, rounds: int) -> ColdStart | None:
    """Keras's own start, where the reference is a model of its own; None, with a note, where it fails."""
    if path.suffix != ".keras":
        return None
    note("starting Keras, for comparison ...")
    module, arguments = "edgeclf.benchmarks.bench.keras_start", (str(path), image)
    try:
        return _typical([start_cold(module, *arguments) for _ in range(min(rounds, COLD_STARTS))])
    except EdgeclfError as error:
        note(f"Keras's start is not measured: {error}")
        return None


def _rows(trials: Mapping[Contender, Sequence[Trial]], exam: Exam | None) -> tuple[Row, ...]:
    first = [trial.finding.rate for trial in next(iter(trials.values()))]
    rows = [_row(contender, each, first, exam) for contender, each in trials.items()]
    costs = [Performance(1e3 / row.rate, row.accuracy.correct if row.accuracy else 0, row.size_bytes) for row in rows]
    return tuple(replace(row, best=best) for row, best in zip(rows, pareto(costs), strict=True))


def _row(contender: Contender, trials: Sequence[Trial], first: Sequence[float], exam: Exam | None) -> Row:
    findings = [trial.finding for trial in trials]
    rates = tuple(finding.rate for finding in findings)
    limits = tuple(finding.limit for finding in findings if finding.limit is not None)
    peaks = [finding.memory_bytes for finding in findings if finding.memory_bytes is not None]
    return Row(
        name=contender.name,
        path=str(contender.model),
        size_bytes=contender.model.stat().st_size,
        engine=findings[0].engine,
        device=findings[0].device,
        batch=statistics.mode(finding.batch for finding in findings),
        threads=contender.threads,
        rates=rates,
        limits=limits,
        ratio=ratios(rates, first),
        of_limit=ratios(rates, limits) if limits else None,
        latency=Latency(*np.percentile([ms for finding in findings for ms in finding.run_ms], (50, 90, 99)).tolist()),
        memory_bytes=max(peaks, default=None),
        cold_start=_typical([trial.cold_start for trial in trials]),
        accuracy=exam.marks[contender.model, contender.device] if exam else None,
        best=False,
        auto_batch=contender.batch is None,
    )


def _typical(starts: Sequence[ColdStart]) -> ColdStart:
    memory = [start.memory_bytes for start in starts if start.memory_bytes is not None]
    return ColdStart(
        statistics.median(start.seconds for start in starts),
        statistics.median(start.cpu_seconds for start in starts),
        int(statistics.median(memory)) if memory else None,
    )
