"""A batch run: every image of the sources gets one row, and a run that was interrupted goes on where it stopped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.disk_guard import StorageGuard
from edgeclf.runtime.errors import ImageError, NoImagesError, OptionError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.model.prediction import Outcome
from edgeclf.runtime.pipeline import classify_batches
from edgeclf.runtime.results.drawn_images import RECORD_INSTEAD, AnswerDrawing, DrawnImages, check_folder
from edgeclf.runtime.results.embeddings import check_embeddings, open_embeddings
from edgeclf.runtime.results.explain_options import EXPLAIN
from edgeclf.runtime.results.heatmap_drawing import HeatmapDrawing
from edgeclf.runtime.results.journal import JournalOptions, open_journal
from edgeclf.runtime.results.nearest import NearestWriter
from edgeclf.runtime.results.result_writer import JournalWriter, ResultWriter, StreamWriter
from edgeclf.runtime.results.sinks import check_columns, check_output, open_sink
from edgeclf.runtime.results.sorting import Sorter, check_folders
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.results.terminal_lines import LEAST_SHOWN, is_for_people
from edgeclf.runtime.run_options import RunOptions
from edgeclf.runtime.sources.source import Source, open_source
from edgeclf.runtime.sources.videos import is_video
from edgeclf.runtime.storage.atomic_write import make_folder
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts


def run(options: RunOptions, model: Path, device: str = "auto", card: ModelCard | ModelDescription | None = None) -> Summary:
    """Classify all sources into the output, with progress on stderr.

    card: describes a model that carries none. Raises EdgeclfError, or KeyboardInterrupt or Terminated after a signal. With
    `watch`, a signal is the normal end: the summary's `signal` is set, and nothing is raised. Whatever is raised, the rows
    so far are in the journal.
    """
    _refuse_videos(options)
    check_output(options.output, options.json_lines)
    if options.embeddings:
        check_embeddings(Path(options.embeddings))
    source = open_source(
        *options.sources,
        follow_links=options.follow_links,
        watch=options.watch,
        nul=options.nul,
        resumed=options.resumed,
        sampling=options.sampling,
        max_pixels=options.max_pixels,
    )
    for flag, folder in (("--save", options.save), (EXPLAIN, options.explain.folder)):
        if folder:
            check_folder(flag, folder, source.folders())
    classifier = Classifier.open(model, device=device, threads=1, card=card)
    if options.sort_dir and options.sort != "plan":
        check_folders(source.folders(), options.sort_dir, classifier.card.classes)
    batch_run = _BatchRun(options, source, classifier, StorageGuard(source.roots()), _drawn(options, classifier))
    with batch_run.open_writer(model_id(model), foreign=card is not None) as writer:
        return batch_run.classify_into(writer)


def _refuse_videos(options: RunOptions) -> None:
    cures = {
        "--sort": options.sort and "leave one of them out",
        "--save": options.save and RECORD_INSTEAD,
        EXPLAIN: options.explain.folder and HeatmapDrawing.live_advice,
    }
    for flag, cure in cures.items():
        for name in options.sources if cure else ():
            if is_video(name) and not os.path.isdir(name):
                raise OptionError(f"{flag} is for image files, and {name} is a video; {cure}")


def _drawn(options: RunOptions, classifier: Classifier) -> tuple[DrawnImages, ...]:
    """The folders of images that were asked for. Raises ModelError, OptionError or OutputError."""
    builder, folders = options.row_builder(classifier.card), []
    if options.explain.folder:
        heatmaps = HeatmapDrawing(classifier, builder, options.explain)
        heatmaps.check()
        folders.append(DrawnImages(options.explain.folder, heatmaps, builder, options.max_pixels))
    if options.save:
        folders.append(DrawnImages(options.save, AnswerDrawing(builder), builder, options.max_pixels))
    return tuple(folders)


@dataclass(frozen=True)
class _BatchRun:
    """A run whose source and model are open. drawn: for `--save` and `--explain`."""

    options: RunOptions
    source: Source
    classifier: Classifier
    guard: StorageGuard
    drawn: tuple[DrawnImages, ...] = ()

    @contextmanager
    def open_writer(self, model: str, *, foreign: bool) -> Iterator[ResultWriter]:
        """Where the rows go. model: its identifier. foreign: whether its card comes from the command line."""
        options, card = self.options, self.classifier.card
        builder = options.row_builder(card, model)
        schema, size = options.schema(card), self.classifier.embedding_size if options.outputs else 0
        if options.embeddings == "":
            schema = replace(schema, embedding=size)
        check_columns(options.output, schema)
        open_output = partial(open_sink, options.output, schema, json_lines=options.json_lines, excel=options.excel)
        if options.like:
            yield NearestWriter(self._embed(options.like), options.most_alike, builder, open_output)
            return
        if options.journal_path is None:
            if is_for_people(options.output, json_lines=options.json_lines):
                builder = replace(builder, topk=max(builder.topk, LEAST_SHOWN))
            with open_output() as sink:
                yield StreamWriter(sink, builder)
            return
        if options.journal_path.parent == options.sort_dir:
            make_folder(options.sort_dir)
        with open_journal(
            options.journal_path,
            options.fingerprint(model, card, foreign=foreign),
            self.source.prefixes,
            JournalOptions(options.restart, options.retry_failed, options.sources_moved, options.sort == "move"),
        ) as journal:
            if journal.index.done:
                note(f"{journal.path} has the rows of {plural(journal.index.done, 'image')} already; going on from there")
            for folder in self.drawn if options.explain.only_if else ():
                folder.learn(journal.rows())
            sorter = Sorter(options.sort, options.sort_dir) if options.sort and options.sort_dir else None
            yield JournalWriter(
                journal,
                builder,
                open_output,
                sorter=sorter,
                check_storage=self.guard.check_roots,
                is_complete=lambda frame: all(folder.has(frame) for folder in self.drawn),
                open_embeddings=partial(open_embeddings, Path(options.embeddings), size) if options.embeddings else None,
            )

    def _embed(self, path: Path) -> NDArray[np.float32]:
        """The embedding of one image, float32 `[1, D]`."""
        try:
            return self.classifier.embed(path)
        except ImageError as error:
            raise OptionError(f"--like {path} cannot be read ({error}); name an intact image") from None

    def classify_into(self, writer: ResultWriter) -> Summary:
        """Classify everything that `writer` has no row for. Raises as `run` does."""
        options, backend = self.options, self.classifier.backend
        summary = Summary(f"{backend.engine} on {backend.device}, {plural(options.threads, 'worker')}")
        with Interrupts() as interrupts, Progress("classifying") as progress:
            if options.sort != "move":  # images that were moved away are not counted again
                progress.start_at(writer.done)
            progress.count_in_background(self.source.count)
            try:
                self._record_all(writer, interrupts, progress)
            except NoImagesError:
                if not writer.done:  # with rows, the images may have been sorted away
                    raise
            summary.classified_now, summary.elapsed_s = progress.new, progress.elapsed_s
            summary.skipped = self.source.skipped
            if interrupts.signal is not None and not options.watch:
                note(f"interrupted after {plural(writer.done, 'image')}; {writer.after_interrupt}")
                interrupts.pass_on()
        writer.finish(summary)
        for folder in self.drawn:
            folder.report()
        summary.signal = interrupts.signal
        return summary

    def _record_all(self, writer: ResultWriter, interrupts: Interrupts, progress: Progress) -> None:
        options = self.options
        frames = writer.pending(interrupts.until(self.source))
        batches = classify_batches(
            frames,
            self.classifier,
            workers=options.threads,
            batch=options.batch,
            checks=options.checks(),
            outputs=[*options.outputs, *(name for folder in self.drawn for name in folder.outputs)],
            use=self._draw if self.drawn else None,
        )
        for outcomes in self.guard.checked(batches):
            writer.record(outcomes)
            progress.advance(len(outcomes))
            options.max_failures.check(writer.failed, writer.done)

    def _draw(self, outcome: Outcome) -> None:
        for folder in self.drawn:
            folder.save(outcome)
