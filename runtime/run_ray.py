"""A run over many machines: the same rows as on one, in a folder of Parquet parts that a later run goes on with."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.cluster.job import Done, Job
from edgeclf.runtime.cluster.plan import check_device, share_out
from edgeclf.runtime.cluster.work import Work
from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.results.fingerprint import SOURCES, Fingerprint
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import RowBuilder
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.run_options import RunOptions
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.storage.object_store import Store, is_uri, local_name
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.version import __version__

_PATIENCE_S = 90.0
"""Ray itself takes some 20 seconds to start."""


def run_ray(
    options: RunOptions, model: Path, device: str = "auto", card: ModelCard | None = None, address: str | None = None
) -> Summary:
    """Classify all sources into parts in the folder or at the URI `options.output`, with progress on stderr.

    card: describes a model without one. address: of a Ray cluster, as for `connected`. Raises EdgeclfError;
    KeyboardInterrupt or Terminated after a signal. Whatever it raises, the parts so far stay, and the same call goes on.
    """
    check_device(device)
    source = open_source(*options.sources, follow_links=options.follow_links, nul=options.nul, max_pixels=options.max_pixels)
    classifier = Classifier.open(model, device="cpu", threads=1, card=card)  # what is wrong with it shows here
    builder = options.row_builder(classifier.card, model_id(model))
    parts = Parts(Store.open(options.output))
    made_with = _made_with(options, builder, classifier.card, parts.store, foreign=card is not None)
    if not options.restart:
        parts.check(made_with)
    work = Work(source, Index() if options.restart else _index(parts, options.retry_failed))
    summary = Summary()
    if work.is_there():
        job = Job(
            version=__version__,
            model_name=model.name,
            model=model.read_bytes(),
            card=card,
            builder=builder,
            checks=Checks(options.max_pixels, options.strict),
            batch=options.batch,
            folder=os.getcwd(),
            roots=source.roots(),
            parts=parts,
            made_with=made_with,
        )
        summary = _classify(work, job, options, device, address)
        parts.check(made_with)  # nobody has begun something else there meanwhile
    _finish(parts, work, summary)
    return summary


def _made_with(options: RunOptions, builder: RowBuilder, card: ModelCard, store: Store, *, foreign: bool) -> Fingerprint:
    """As for a journal, but that images of other sources may stand beside those of this one: rows have their whole names.

    Relative ones are relative to the current folder, so that goes in where there are any: by its place seen from the parts,
    for both may be moved together.
    """
    made_with = options.fingerprint(builder.model, card, foreign=foreign)
    sources = made_with.pop(SOURCES)
    if not all(os.path.isabs(name) or is_uri(name) for name in map(local_name, sources)):
        is_local = not is_uri(store.address)
        made_with[f"{SOURCES} relative to"] = os.path.relpath(os.getcwd(), store.address) if is_local else os.getcwd()
    return made_with


def _classify(work: Work, job: Job, options: RunOptions, device: str, address: str | None) -> Summary:
    """Do all of the work; what it took is in the summary."""
    from edgeclf.runtime.cluster.connection import connected  # Ray takes seconds to import: only where there is work

    failed = settled = 0
    summary = Summary()
    note(f"connecting to Ray at {address}" if address else "starting Ray on this machine")
    with connected(address) as machines, Progress("classifying") as progress:
        from edgeclf.runtime.cluster.stream import classify_portions

        plan = share_out(machines, device, options.workers, Path(job.model_name))
        note(f"{plan} on {len(machines):,} machine{'s' if len(machines) > 1 else ''}")
        job = replace(job, run=job.parts.begin(job.made_with, restart=options.restart))
        progress.count_in_background(work.source.count)
        try:
            with closing(classify_portions(work.portions(plan.workers), job, plan)) as results:
                for done in _with_a_word(results):
                    failed += done.failed
                    progress.done += work.settled - settled
                    settled = work.settled
                    progress.advance(done.images)
                    options.max_failures.check(failed, progress.new)
                    summary.setting = f"{done.setting}, Ray with {plan}"
        except KeyboardInterrupt:
            so_far = f"interrupted after {progress.new:,} images"
            note(f"{so_far}; they are in {job.parts.store.uri}, and the same command goes on from there")
            raise
        summary.now, summary.elapsed_s = progress.new, progress.elapsed_s
    return summary


def _with_a_word(results: Iterator[Done]) -> Iterator[Done]:
    """The results; where the first is long in coming, people are told what may be the cause."""
    word = "no worker has finished anything yet: the model is large, or the cluster busy, or without cores (see ray status)"
    timer = threading.Timer(_PATIENCE_S, note, [word])
    timer.daemon = True
    timer.start()
    try:
        for done in results:
            timer.cancel()
            yield done
    finally:
        timer.cancel()


def _finish(parts: Parts, work: Work, summary: Summary) -> None:
    """Leave every image one row, and count them. Raises OutputError where they are not as many as they have to be."""
    if work.again:
        parts.drop_repeated()
    summary.skipped = work.source.skipped
    summary.update(parts.count())
    expected = work.done + summary.now - work.again
    if summary.total > expected:
        raise OutputError(
            f"{parts.store.uri} holds {summary.total:,} rows where {expected:,} were written, so another run has written "
            f"there, too; wait for its end, then repeat the command, and every image has one row again"
        )
    if summary.total < expected:
        raise OutputError(
            f"{parts.store.uri} holds {summary.total:,} rows where {expected:,} were written, so somebody has removed some; "
            "repeat the command, and their images are classified again"
        )


def _index(parts: Parts, retry_failed: bool) -> Index:
    """Which images have rows; where a run ended before it could drop those that it had replaced, they go now."""
    index = parts.index(retry_failed=retry_failed)
    if index.repeated:
        parts.drop_repeated()
        index = parts.index(retry_failed=retry_failed)
    if index.done:
        note(f"{index.done:,} images are in {parts.store.uri} already; going on from there")
    return index
