"""What runs in each actor of the cluster: the model opened once, and the pipeline over one portion after the other."""

import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from edgeclf.runtime import __version__
from edgeclf.runtime.batching import best_batch
from edgeclf.runtime.cluster.job import Done, Job, Portion, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.errors import EdgeclfError, SourceError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.pipeline import classify_batches
from edgeclf.runtime.storage import StorageGuard


class Worker:
    """Ray makes one in each actor, and calls it with packed portions; what became of each comes back.

    What the user can put right is not raised, for Ray would wrap it: it comes back, too.
    """

    def __init__(self, job: Job, plan: Plan) -> None:
        self._job = job
        self._threads = plan.threads
        self._trouble: EdgeclfError | None = None
        try:
            _check_version(job.version)
            with suppress(OSError):  # where no path is relative, nobody misses it
                os.chdir(job.folder)
            _check_roots(job.roots)
            self._guard = StorageGuard(job.roots)
            self._classifier = _open_model(job, plan.device)
            self._batch = job.batch or best_batch(self._classifier, self._threads)
        except EdgeclfError as error:
            self._trouble = error

    def __call__(self, table: pa.Table) -> pa.Table:
        return pack([self._done(portion) for portion in unpack(table)])

    def _done(self, portion: Portion) -> Done:
        if self._trouble:
            return Done(trouble=self._trouble)
        try:
            return self._classify(portion)
        except EdgeclfError as error:
            return Done(trouble=error)

    def _classify(self, portion: Portion) -> Done:
        job, classifier = self._job, self._classifier
        batches = classify_batches(portion.frames, classifier, workers=self._threads, batch=self._batch, checks=job.checks)
        rows = [row for outcomes in self._guard.checked(batches) for row in job.answers.rows(outcomes)]
        job.parts.write(job.run, portion.number, rows)
        failed = sum(row.status == "error" for row in rows)
        return Done(len(rows), failed, f"{classifier.backend.engine} on {classifier.backend.device}")


def _check_version(version: str) -> None:
    if version != __version__:
        raise EdgeclfError(
            f"the machine {socket.gethostname()} has edgeclf {__version__}, and this one has {version}; "
            f"install the same version on all machines of the cluster"
        )


def _check_roots(roots: tuple[str, ...]) -> None:
    for root in roots:
        if not os.path.exists(root):
            raise SourceError(
                f"{root} is not there on the machine {socket.gethostname()}; put the pictures where every machine of the "
                f"cluster sees them under that name, or into an object store, such as s3://bucket/photos/"
            )


def _open_model(job: Job, device: str) -> Classifier:
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        path = Path(folder) / job.model_name
        path.write_bytes(job.model)
        return Classifier.open(path, device=device, threads=1, card=job.card)
