"""One run of `clf-bench`: find the candidates and the images, measure accuracy and speed, and recommend a candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.benchmarks.bench.accuracy import MeasuredAccuracy, measure_accuracy, open_models
from edgeclf.benchmarks.bench.baseline import Baseline
from edgeclf.benchmarks.bench.bench_images import BenchImages, check_data, find_images
from edgeclf.benchmarks.bench.candidates import Candidate, find_models, list_candidates, short_names
from edgeclf.benchmarks.bench.options import Gates, Options
from edgeclf.benchmarks.bench.recommendation import recommend
from edgeclf.benchmarks.bench.report import ColdStart, Reference, Report
from edgeclf.benchmarks.bench.rounds import RoundResult, measure_cold_start, measure_rounds
from edgeclf.benchmarks.bench.summary import median_cold_start, summarize
from edgeclf.benchmarks.machine import load, this_machine
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.terminal.console import note
from edgeclf.train.any_model import AnyModel, open_any

COLD_STARTS = 3
"""Cold starts of Keras; each takes about ten seconds."""


def bench(options: Options, described: ModelDescription | None = None) -> Report:
    """Measure, compare and recommend. A missed gate is not an error; the report lists it in `misses`.

    described: what models without a card take and answer. Raises ModelError, DeviceError, DatasetError or OptionError.
    """
    baseline = _open_baseline(options)
    check_data(options.data)
    found = find_models(options.models, described=described is not None)
    models = found.models
    for sentence in found.left_out:
        note(sentence)
    reference = _reference_path(models, options.against)
    names = _names((reference, *models))
    threads = options.threads or (usable_cores(),)
    candidates = list_candidates({model: names[model] for model in models}, options.devices, options.batches, threads)
    machine, load_before = this_machine(), load()
    measured = _measure(options, reference, candidates, described)
    load_after = load()

    results = summarize(measured.rounds, measured.accuracy)
    compared = _as_reference(reference, names[reference], measured)
    recommendation = recommend(results, compared, options.gates)
    notes, misses = [*found.left_out, *measured.failures, *recommendation.notes], [*recommendation.misses]
    if baseline:
        notes += baseline.notes(results, machine, measured.images)
        misses += baseline.regressions(results, options.allowed_regression)
    return Report(
        results=results,
        reference=compared,
        images=measured.images,
        end_to_end=options.end_to_end,
        rounds=options.rounds,
        seconds=options.seconds,
        machine=machine,
        load=None if load_before is None or load_after is None else (load_before, load_after),
        ship=recommendation.ship,
        because=recommendation.because,
        notes=tuple(notes),
        misses=tuple(misses),
    )


def _open_baseline(options: Options) -> Baseline | None:
    if options.baseline is None:
        return None
    baseline = Baseline(options.baseline)
    baseline.require_mode(options.end_to_end)
    return baseline


def _reference_path(models: Sequence[Path], against: Path | None) -> Path:
    """The reference model; if it is one of the models, spelt the same way."""
    if against is None:
        return models[0]
    return next((model for model in models if model.resolve() == against.resolve()), against)


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    distinct = tuple(dict.fromkeys(paths))
    return dict(zip(distinct, short_names(distinct), strict=True))


@dataclass(frozen=True)
class _Measured:
    """failures: a sentence for each candidate that failed. images: what was classified and read, in words."""

    rounds: Mapping[Candidate, Sequence[RoundResult]]
    failures: Sequence[str]
    accuracy: MeasuredAccuracy | None
    keras_start: ColdStart | None
    images: str


def _measure(
    options: Options, reference_path: Path, candidates: Sequence[Candidate], described: ModelDescription | None
) -> _Measured:
    reference = open_any(reference_path, card=described)
    opened = open_models(reference.card, [(candidate.model, candidate.device) for candidate in candidates], described)
    cards = {path: model.card.to_json() for (path, _), model in opened.items()} if described else {}
    models = dict.fromkeys(candidate.model for candidate in candidates)
    with find_images((reference_path, *models), reference.card, options.data, options.max_images) as images:
        accuracy = _measure_accuracy(reference, opened, images, options.gates)
        opened.clear()  # the measuring processes need the memory
        rounds, failures = measure_rounds(
            candidates, images.files, options.rounds, options.seconds, end_to_end=options.end_to_end, cards=cards
        )
        keras_start = _start_keras(reference_path, images.files[0], options.rounds)
    unread = f", without {accuracy.unread:,} that cannot be read" if accuracy and accuracy.unread else ""
    return _Measured(rounds, failures, accuracy, keras_start, images.description + unread)


def _measure_accuracy(
    reference: AnyModel, opened: Mapping[tuple[Path, str], AnyModel], images: BenchImages, gates: Gates
) -> MeasuredAccuracy | None:
    if images.load_labelled is not None:
        return measure_accuracy(reference, opened, images.load_labelled)
    if gates.max_drop is not None:
        raise OptionError("--max-drop needs labelled images, and none were found; name some with --data DIR")
    return None


def _start_keras(path: Path, image: str, rounds: int) -> ColdStart | None:
    """Keras's cold start if the reference is a Keras model; None, with a note, if it fails."""
    if model_format(path) != "Keras":
        return None
    note("measuring the cold start of Keras, for comparison ...")
    module, arguments = "edgeclf.benchmarks.bench.keras_start", (str(path), image)
    try:
        return median_cold_start([measure_cold_start(module, *arguments) for _ in range(min(rounds, COLD_STARTS))])
    except EdgeclfError as error:
        note(f"the cold start of Keras was not measured: {error}")
        return None


def _as_reference(path: Path, name: str, measured: _Measured) -> Reference | None:
    if measured.accuracy is None:
        return None
    return Reference(name, measured.accuracy.reference, measured.keras_start, path.stat().st_size)
