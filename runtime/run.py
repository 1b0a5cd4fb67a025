"""A batch run: every image of the sources ends as one row, and a run that was ended goes on where it stopped."""

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.disk_guard import StorageGuard
from edgeclf.runtime.errors import EdgeclfError, NoImagesError, OptionError
from edgeclf.runtime.images.decode import MAX_PIXELS, Checks
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.pipeline import classify_batches
from edgeclf.runtime.results.fingerprint import SOURCES, Fingerprint
from edgeclf.runtime.results.journal import open_journal
from edgeclf.runtime.results.result_writer import JournalWriter, ResultWriter, StreamWriter
from edgeclf.runtime.results.row import RowBuilder
from edgeclf.runtime.results.sinks import STDOUT, check_output, open_sink
from edgeclf.runtime.results.sorting import How, Sorter, check_folders
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.source import Source, open_source
from edgeclf.runtime.sources.videos import is_video
from edgeclf.runtime.storage.atomic_write import make_folder
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts

_DIGEST_DIGITS = 16
_JUDGED_FROM = 100
"""Images after which a share of failures means something."""
_FLAGS = {
    "json_lines": "--json",
    "nul": "--null",
    "resume": "--resume or --no-resume",
    "sampling": "--vid-stride or --every",
    "strict": "--verify strict",
}
"""What sets a field of RunOptions, where it is not called so."""


@dataclass(frozen=True)
class MaxFailures:
    """How many images may have no answer: a count, or a share from 0 to 1 of at least a hundred images."""

    count: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "MaxFailures":
        """`"100"` or `"5%"`. Raises OptionError."""
        number = text.removesuffix("%")
        try:
            limit = cls(share=float(number) / 100) if number != text else cls(count=int(number))
        except ValueError:
            limit = cls(count=-1)
        if (limit.count or 0) < 0 or not 0 <= (limit.share or 0) <= 1:
            raise OptionError(f"--max-failures takes a number or a percentage, such as 100 or 5%, not {text!r}")
        return limit

    def check(self, failed: int, done: int) -> None:
        """Raises EdgeclfError when it is too many."""
        too_many = self.count is not None and failed > self.count
        too_large = self.share is not None and done >= _JUDGED_FROM and failed > self.share * done
        if too_many or too_large:
            limit = f"{self.count:,}" if self.count is not None else f"{100 * (self.share or 0):g}%"
            raise EdgeclfError(f"{failed:,} of {done:,} images failed, and --max-failures allows {limit}; stopped")


@dataclass(frozen=True)
class RunOptions:
    """What is asked of a run.

    output: a file, or `-` for stdout. journal: where the journal is; None for beside the output, and none for stdout.
    resume: True takes up a journal although the sources are named otherwise, False keeps none. threshold: with a lower
    confidence, an answer is `unsure`. batch: None measures which is the quickest. Others as in `clf-run --help`.
    """

    sources: tuple[str, ...]
    output: str = STDOUT
    json_lines: bool = False
    journal: Path | None = None
    resume: bool | None = None
    restart: bool = False
    retry_failed: bool = False
    topk: int = 1
    all_scores: bool = False
    threshold: float = 0.0
    sort: How | None = None
    sort_dir: Path | None = None
    strict: bool = False
    max_pixels: int = MAX_PIXELS
    max_failures: MaxFailures = MaxFailures()
    follow_links: bool = False
    watch: bool = False
    nul: bool = False
    sampling: Sampling = EVERY_FRAME
    workers: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.json_lines and self.output != STDOUT:
            raise OptionError(f"--json is for stdout; name a .jsonl file in place of {self.output}")
        if self.sort is not None and self.sort not in get_args(How):
            raise OptionError(f"--sort takes {', '.join(get_args(How))}, not {self.sort!r}")
        if (self.sort is None) != (self.sort_dir is None):
            raise OptionError("--sort says what becomes of the images and --sort-dir says where; give both")
        video = next((name for name in self.sources if is_video(name) and not os.path.isdir(name)), None)
        if self.sort and video:
            raise OptionError(f"--sort is for files, and the frames of a video such as {video} are none; leave it out")
        if self.journal and os.path.realpath(self.journal) == os.path.realpath(self.output):
            raise OptionError(f"{self.output} cannot be both the output and the journal; name another with --journal")
        if self.resume is False and (self.restart or self.retry_failed or self.journal or self.sort):
            raise OptionError("--no-resume keeps no journal; --journal, --restart, --retry-failed and --sort need one")
        kept = self.journal_path is not None or os.path.isdir(self.output)  # by a run that writes parts into a folder
        if not kept and (self.resume or self.restart or self.retry_failed):
            raise OptionError(
                "--resume, --restart and --retry-failed need a journal: write to a file with -o, or name one with --journal"
            )

    def require_only(self, names: Collection[str], why: str) -> None:
        """Raise OptionError when any other field is not as by default. why: what to say of its flag."""
        for one in fields(self):
            if one.name not in names and getattr(self, one.name) != one.default:
                flag = _FLAGS.get(one.name, f"--{one.name.replace('_', '-')}")
                raise OptionError(f"{flag} {why}")

    @property
    def journal_path(self) -> Path | None:
        """Where the journal is; None for a run without."""
        if self.resume is False or self.journal:
            return self.journal
        if self.output != STDOUT and (os.path.isfile(self.output) or not os.path.exists(self.output)):
            return Path(f"{self.output}.journal")
        return self.sort_dir / "clf-run.journal" if self.sort_dir else None

    @property
    def threads(self) -> int:
        """Workers, by default one for each usable core."""
        return self.workers or usable_cores()

    @property
    def resumed(self) -> bool:
        """Whether there is a journal to go on with."""
        return self.journal_path is not None and self.journal_path.is_file() and not self.restart

    def row_builder(self, card: ModelCard, model: str = "") -> RowBuilder:
        """How answers become rows. model: as in Row."""
        return RowBuilder(len(card.classes) if self.all_scores else self.topk, self.threshold, model)

    def fingerprint(self, model: str, card: ModelCard, *, foreign: bool) -> Fingerprint:
        """Everything that makes rows what they are. foreign: whether the card comes from the command line."""
        made_with: dict[str, Any] = {
            "model": model,
            SOURCES: list(self.sources),
            "--topk": self.row_builder(card).topk,
            "--conf": self.threshold,
            "--verify": "strict" if self.strict else None,
            "--max-pixels": self.max_pixels,
            "--vid-stride": self.sampling.stride if self.sampling.stride != 1 else None,
            "--every": f"{self.sampling.every_s:g}s" if self.sampling.every_s is not None else None,
            "--sort": self.sort,
            "--sort-dir": str(self.sort_dir) if self.sort_dir else None,
        }
        if foreign:
            made_with["card"] = hashlib.sha256(card.to_json().encode()).hexdigest()[:_DIGEST_DIGITS]
        return {name: value for name, value in made_with.items() if value is not None}


def run(options: RunOptions, model: Path, device: str = "auto", card: ModelCard | None = None) -> Summary:
    """Classify all sources into the output, with progress on stderr.

    card: describes a model without one. Raises EdgeclfError; KeyboardInterrupt or Terminated after a signal, but with
    `watch`, which only a signal ends: then `signal` of the summary is set. Whatever it raises, the rows so far are in the
    journal.
    """
    check_output(options.output, options.json_lines)
    checks = Checks(options.max_pixels, options.strict)
    source = open_source(
        *options.sources,
        follow_links=options.follow_links,
        watch=options.watch,
        nul=options.nul,
        resumed=options.resumed,
        sampling=options.sampling,
        max_pixels=options.max_pixels,
    )
    classifier = Classifier.open(model, device=device, threads=1, card=card)
    if options.sort_dir and options.sort != "plan":
        check_folders(source.folders(), options.sort_dir, classifier.card.classes)
    backend = classifier.backend
    workers = f"{options.threads} worker{'s' if options.threads > 1 else ''}"
    summary = Summary(f"{backend.engine} on {backend.device}, {workers}")
    guard = StorageGuard(source.roots())
    with _open_writer(options, model, source, classifier, guard, foreign=card is not None) as writer:
        _classify(options, source, classifier, writer, guard, checks, summary)
    return summary


def _classify(
    options: RunOptions,
    source: Source,
    classifier: Classifier,
    writer: ResultWriter,
    guard: StorageGuard,
    checks: Checks,
    summary: Summary,
) -> None:
    with Interrupts() as interrupts, Progress("classifying") as progress:
        frames = writer.pending(interrupts.until(source))
        batches = classify_batches(frames, classifier, workers=options.threads, batch=options.batch, checks=checks)
        if options.sort != "move":  # what was moved is not there to be counted
            progress.start_at(writer.done)
        progress.count_in_background(source.count)
        try:
            for outcomes in guard.checked(batches):
                with progress.aside():
                    writer.record(outcomes)
                progress.advance(len(outcomes))
                options.max_failures.check(writer.failed, writer.done)
        except NoImagesError:
            if not writer.done:  # those that were here may have been sorted away
                raise
        summary.now, summary.elapsed_s, summary.skipped = progress.new, progress.elapsed_s, source.skipped
        if interrupts.signal is not None and not options.watch:
            note(f"interrupted after {writer.done:,} images; {writer.whereabouts}")
            interrupts.pass_on()
    writer.finish(summary)
    summary.signal = interrupts.signal


@contextmanager
def _open_writer(
    options: RunOptions, model: Path, source: Source, classifier: Classifier, guard: StorageGuard, *, foreign: bool
) -> Iterator[ResultWriter]:
    digest = model_id(model)
    builder = options.row_builder(classifier.card, digest)
    if options.journal_path is None:
        with open_sink(options.output, json_lines=options.json_lines) as sink:
            yield StreamWriter(sink, builder)
        return
    if options.journal_path.parent == options.sort_dir:
        make_folder(options.sort_dir)
    with open_journal(
        options.journal_path,
        options.fingerprint(digest, classifier.card, foreign=foreign),
        source.prefixes,
        restart=options.restart,
        retry_failed=options.retry_failed,
        elsewhere=options.resume is True,
        moving=options.sort == "move",
    ) as journal:
        if journal.index.done:
            note(f"{journal.index.done:,} images are in {journal.path} already; going on from there")
        sorter = Sorter(options.sort, options.sort_dir) if options.sort and options.sort_dir else None
        yield JournalWriter(
            journal,
            builder,
            options.output,
            json_lines=options.json_lines,
            retry_failed=options.retry_failed,
            sorter=sorter,
            check_storage=guard.check_roots,
        )
