"""What runs in each actor of the cluster: the model opened once, and the pipeline over one portion after the other."""

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from edgeclf.runtime.cluster.job import Done, Job, Portion, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.disk_guard import StorageGuard
from edgeclf.runtime.errors import EdgeclfError, OutputError, Reason, SourceError
from edgeclf.runtime.model.batching import best_batch
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.pipeline import classify_batches
from edgeclf.runtime.results.parts import HEADER
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.storage.files import StoreError
from edgeclf.runtime.terminal.console import missing_extra
from edgeclf.runtime.version import __version__

_SHARED = (
    "put the images where every machine of the cluster sees them under that name, or into an object store, such as "
    "s3://bucket/photos/"
)
_MANY = 10
"""Images that are not removed by chance, all of them between the listing and the reading."""


class Worker:
    """Ray makes one in each actor, and calls it with packed portions; what became of each comes back.

    What the user can put right is not raised, for Ray would wrap it: it comes back, too.
    """

    def __init__(self, job: Job, plan: Plan) -> None:
        self._job = job
        self._threads = plan.threads
        self._trouble: EdgeclfError | None = None
        with self._troubles():
            _check_version(job.version)
            with suppress(OSError):  # where no path is relative, nobody misses it
                os.chdir(job.folder)
            _check_places(job)
            self._guard = StorageGuard(job.roots)
            self._classifier = _open_model(job, plan.device)
            self._batch = job.batch or best_batch(self._classifier, self._threads)

    def __call__(self, table: pa.Table) -> pa.Table:
        return pack([self._done(portion) for portion in unpack(table)])

    def _done(self, portion: Portion) -> Done:
        if self._trouble is None:
            with self._troubles():
                return self._classify(portion)
        return Done(trouble=self._trouble)

    def _classify(self, portion: Portion) -> Done:
        job, classifier = self._job, self._classifier
        batches = classify_batches(portion.frames, classifier, workers=self._threads, batch=self._batch, checks=job.checks)
        rows = [row for outcomes in self._guard.checked(batches) for row in job.builder.rows(outcomes)]
        _check_seen(rows)
        job.parts.write(job.run, portion.number, rows)
        failed = sum(row.status == "error" for row in rows)
        return Done(len(rows), failed, f"{classifier.backend.engine} on {classifier.backend.device}")

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """Keep what the user can put right, with the name of the machine."""
        try:
            yield
        except (EdgeclfError, ImportError, OSError) as error:
            sentence = missing_extra(error) if isinstance(error, ImportError) else None
            kind = type(error) if isinstance(error, EdgeclfError) and type(error) is not StoreError else EdgeclfError
            self._trouble = kind(f"on the machine {socket.gethostname()}: {sentence or error}")


def _check_version(version: str) -> None:
    if version != __version__:
        raise EdgeclfError(
            f"edgeclf {__version__} in place of {version}; install one version on all machines of the cluster"
        )


def _check_places(job: Job) -> None:
    """Raise where this machine does not see the folders that the command sees."""
    for root in job.roots:
        if not os.path.exists(root):
            raise SourceError(f"{root} is not there; {_SHARED}")
    if job.parts.store.find(HEADER) is None:
        raise OutputError(
            f"{job.parts.store.uri} is not that of the command; name a folder that all machines share, or a URI"
        )


def _check_seen(rows: Sequence[Row]) -> None:
    """Raise where none of many images is there, though the command saw them: a list has no folder to be looked for."""
    if len(rows) >= _MANY and all(row.error == Reason.NOT_FOUND and row.size_bytes is not None for row in rows):
        raise SourceError(f"{rows[0].path} and {len(rows) - 1:,} more are not there; {_SHARED}")


def _open_model(job: Job, device: str) -> Classifier:
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        path = Path(folder) / job.model_name
        path.write_bytes(job.model)
        return Classifier.open(path, device=device, threads=1, card=job.card)
