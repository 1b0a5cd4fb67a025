"""What runs in each actor of the cluster: it opens the model once, and classifies one portion after the other."""

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from edgeclf.runtime.cluster.job import Job, Portion, PortionResult, pack, unpack
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

_PUT_ELSEWHERE = (
    "put the images where every machine of the cluster sees them under that name, or into an object store, such as "
    "s3://bucket/photos/"
)
_MANY = 10
"""This many images are not removed by chance, all of them between listing and reading."""


class ClusterWorker:
    """Ray creates one in each actor and calls it with packed portions; it returns their packed results.

    Errors that the user can fix are returned, not raised, because Ray would wrap them.
    """

    def __init__(self, job: Job, plan: Plan) -> None:
        self._job = job
        self._threads = plan.threads
        self._error: EdgeclfError | None = None
        with self._keeping_errors():
            _check_version(job.version)
            with suppress(OSError):  # only needed if a path is relative, and then that path is missing
                os.chdir(job.folder)
            _check_places(job)
            self._guard = StorageGuard(job.roots)
            self._classifier = _open_model(job, plan.device)
            self._batch = job.batch or best_batch(self._classifier, self._threads)

    def __call__(self, table: pa.Table) -> pa.Table:
        return pack([self._result(portion) for portion in unpack(table)])

    def _result(self, portion: Portion) -> PortionResult:
        if self._error is None:
            with self._keeping_errors():
                return self._classify(portion)
        return PortionResult(error=self._error)

    def _classify(self, portion: Portion) -> PortionResult:
        job, classifier = self._job, self._classifier
        batches = classify_batches(
            portion.frames,
            classifier,
            workers=self._threads,
            batch=self._batch,
            checks=job.checks,
            outputs=job.outputs,
        )
        rows = [row for outcomes in self._guard.checked(batches) for row in job.builder.rows(outcomes)]
        _check_seen(rows)
        job.parts.write(job.run_prefix, portion.number, rows)
        failed = sum(row.status == "error" for row in rows)
        return PortionResult(len(rows), failed, f"{classifier.backend.engine} on {classifier.backend.device}")

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        """Keep an error that the user can fix, with the name of this machine."""
        try:
            yield
        except (EdgeclfError, ImportError, OSError) as error:
            sentence = missing_extra(error) if isinstance(error, ImportError) else None
            kind = type(error) if isinstance(error, EdgeclfError) and type(error) is not StoreError else EdgeclfError
            self._error = kind(f"on the machine {socket.gethostname()}: {sentence or error}")


def _check_version(version: str) -> None:
    if version != __version__:
        raise EdgeclfError(
            f"edgeclf {__version__} is installed instead of {version}; install one version on all machines of the cluster"
        )


def _check_places(job: Job) -> None:
    """Raise if this machine does not see the folders that the command sees."""
    for root in job.roots:
        if not os.path.exists(root):
            raise SourceError(f"{root} does not exist; {_PUT_ELSEWHERE}")
    if job.parts.store.find(HEADER) is None:
        raise OutputError(
            f"{job.parts.store.uri} is not the folder that the command writes to; use a folder that all machines share, "
            "or a URI"
        )


def _check_seen(rows: Sequence[Row]) -> None:
    """Raise if none of many images exists, although the command saw them: with a list, there is no folder to check."""
    if len(rows) >= _MANY and all(row.error == Reason.NOT_FOUND and row.size_bytes is not None for row in rows):
        raise SourceError(f"{rows[0].path} and {len(rows) - 1:,} more do not exist; {_PUT_ELSEWHERE}")


def _open_model(job: Job, device: str) -> Classifier:
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        path = Path(folder) / job.model_name
        path.write_bytes(job.model)
        return Classifier.open(path, device=device, threads=1, card=job.card)
