"""A run over many machines: the rows of a local run, in a folder of Parquet parts that a later run continues."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.cluster.job import Job, PortionResult
from edgeclf.runtime.cluster.pending_frames import PendingFrames
from edgeclf.runtime.cluster.plan import Plan, check_device, make_plan
from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.results.fingerprint import SOURCES, Fingerprint
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.run_options import RunOptions
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.storage.object_store import Store, is_uri, local_name
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts
from edgeclf.runtime.version import __version__

_SLOW_START_S = 90.0
"""Ray itself takes some 20 seconds to start."""


def run_ray(
    options: RunOptions,
    model: Path,
    device: str = "auto",
    card: ModelCard | ModelDescription | None = None,
    address: str | None = None,
) -> Summary:
    """Classify all sources into parts in the folder or at the URI `options.output`, with progress on stderr.

    card: describes a model without one. address: of a Ray cluster, as for `connected`. Raises EdgeclfError, or
    KeyboardInterrupt or Terminated after a signal. In any case, the parts so far stay, and the same call continues.
    """
    check_device(device)
    source = open_source(*options.sources, follow_links=options.follow_links, nul=options.nul, max_pixels=options.max_pixels)
    classifier = Classifier.open(model, device="cpu", threads=1, card=card)  # reports a broken model before Ray starts
    size = classifier.embedding_size if options.outputs else 0
    parts = Parts(Store.open(options.output), replace(options.schema(classifier.card), ray=True, embedding=size))
    builder = options.row_builder(classifier.card, model_id(model))
    fingerprint = _with_whole_names(options.fingerprint(builder.model, classifier.card, foreign=card is not None), parts)
    if not options.restart:
        parts.check(fingerprint)
    frames = PendingFrames(source, Index() if options.restart else _index(parts, options.retry_failed))
    summary = Summary()
    if frames.has_any():
        job = Job(
            version=__version__,
            model_name=model.name,
            model=model.read_bytes(),
            card=card,
            builder=builder,
            checks=options.checks(),
            batch=options.batch,
            outputs=options.outputs,
            folder=os.getcwd(),
            roots=source.roots(),
            parts=parts,
            fingerprint=fingerprint,
        )
        summary = _run_on_cluster(frames, job, options, device, address)
        parts.check(fingerprint)  # no other run has started something else there meanwhile
    _finish(parts, frames, summary)
    return summary


def _with_whole_names(fingerprint: Fingerprint, parts: Parts) -> Fingerprint:
    """The fingerprint without its sources: rows have whole names, so rows of other sources may be in the same parts.

    Relative names depend on the current folder, so that becomes part of the fingerprint if there are any. If the parts are
    local, it is written relative to them, because both may be moved together.
    """
    whole = {name: value for name, value in fingerprint.items() if name != SOURCES}
    if not all(os.path.isabs(name) or is_uri(name) for name in map(local_name, fingerprint[SOURCES])):
        address = parts.store.address
        whole[f"{SOURCES} relative to"] = os.getcwd() if is_uri(address) else os.path.relpath(os.getcwd(), address)
    return whole


def _run_on_cluster(frames: PendingFrames, job: Job, options: RunOptions, device: str, address: str | None) -> Summary:
    """Classify all frames; the number of images, the time and the setting are in the summary."""
    from edgeclf.runtime.cluster.connection import connected  # Ray takes seconds to import, so only if there is work

    note(f"connecting to Ray at {address}" if address else "starting Ray on this machine")
    with Interrupts(at_once=True) as interrupts, connected(address) as machines, Progress("classifying") as progress:
        plan = make_plan(machines, device, options.workers, Path(job.model_name))
        note(f"{plan} on {plural(len(machines), 'machine')}")
        job = replace(job, run_prefix=job.parts.begin(job.fingerprint, restart=options.restart))
        progress.count_in_background(frames.source.count)
        try:
            setting = _classify(frames, job, plan, options, progress=progress, interrupts=interrupts)
        except KeyboardInterrupt:
            so_far = f"interrupted after {plural(progress.new, 'image')}"
            note(f"{so_far}; they are in {job.parts.store.uri}; run the same command again to continue")
            raise
        summary = Summary(setting)
        summary.classified_now, summary.elapsed_s = progress.new, progress.elapsed_s
    return summary


def _classify(
    frames: PendingFrames, job: Job, plan: Plan, options: RunOptions, progress: Progress, interrupts: Interrupts
) -> str:
    """Classify all frames. Returns the engine, the device and the workers, for people."""
    from edgeclf.runtime.cluster.stream import classify_portions

    setting = ""
    failed = has_row = 0
    with closing(classify_portions(frames.portions(plan.workers), job, plan)) as results:
        for result in _with_note_if_slow(results):
            failed += result.failed
            progress.done += frames.has_row - has_row
            has_row = frames.has_row
            progress.advance(result.images)
            options.max_failures.check(failed, progress.new)
            setting = f"{result.setting}, Ray with {plan}"
            interrupts.pass_on()
    return setting


def _with_note_if_slow(results: Iterator[PortionResult]) -> Iterator[PortionResult]:
    """The results; if the first one takes long, a note says what the cause may be."""
    text = "no result yet: the model may be large, or the cluster busy or without free cores (see ray status)"
    timer = threading.Timer(_SLOW_START_S, note, [text])
    timer.daemon = True
    timer.start()
    try:
        for result in results:
            timer.cancel()
            yield result
    finally:
        timer.cancel()


def _finish(parts: Parts, frames: PendingFrames, summary: Summary) -> None:
    """Keep one row per image, and count the rows. Raises OutputError if there are more or fewer than expected."""
    if frames.replaced:
        parts.drop_outdated()
    summary.skipped = frames.source.skipped
    summary.update(parts.count())
    expected = frames.earlier_rows + summary.classified_now - frames.replaced
    held = f"{parts.store.uri} holds {plural(summary.total, 'row')} instead of {expected:,}"
    if summary.total > expected:
        raise OutputError(
            f"{held}, so another run has written there too; wait until it ends, then run the command again to get one row "
            "for each image"
        )
    if summary.total < expected:
        raise OutputError(f"{held}, so some have been removed; run the command again, and their images are classified again")


def _index(parts: Parts, retry_failed: bool) -> Index:
    """Which images have rows. If an earlier run ended before it could drop outdated rows, they are dropped now."""
    index = parts.index(retry_failed=retry_failed)
    if index.has_outdated_lines:
        parts.drop_outdated()
        index = parts.index(retry_failed=retry_failed)
    if index.done:
        note(f"{parts.store.uri} has the rows of {plural(index.done, 'image')} already; going on from there")
    return index
