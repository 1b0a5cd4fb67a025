"""Portions through the cluster with Ray Data: this process feeds a stream, and a pool of actors classifies."""

import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.util.queue import Queue

from edgeclf.runtime.cluster.cluster_worker import ClusterWorker
from edgeclf.runtime.cluster.job import Job, Portion, PortionResult, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.errors import EdgeclfError

_QUEUE_LENGTH = 8
"""Portions that wait for a worker."""
_CONTINUE = "the parts written so far are kept, and the same command continues from there"
_MOST_WAIT_S = 10.0
"""For a thread to end, on a busy machine."""
_MOST_RETRIES = 10
"""Of a portion whose worker has died. Machines come and go, but an image that kills workers would kill them forever."""


def classify_portions(portions: Iterable[Portion], job: Job, plan: Plan) -> Generator[PortionResult, None, None]:
    """The result of each portion, in any order. If a worker is lost, another one repeats its portions.

    Raises EdgeclfError, and whatever `portions` raises, once the portions before are done.
    """
    # What is only on this machine is lost only together with it, and the run then ends anyway.
    this_machine = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    with _Feed(portions, this_machine) as feed:
        dataset = _classified(feed.datasource, this_machine, job, plan)
        count = 0
        try:
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                for result in unpack(table):
                    if result.error:
                        raise result.error
                    count += 1
                    yield result
        except ray.exceptions.RayError as error:
            cause = str(error).strip().rpartition("\n")[2].partition(". ")[0]  # the first sentence after a traceback
            raise EdgeclfError(f"the cluster gave up ({cause[:200]}); {_CONTINUE}") from error
        finally:
            _wait_for_executors()
        feed.check(count)


def _wait_for_executors() -> None:
    """Wait for the threads of Ray Data, which themselves wait 2 seconds at most when a stream is closed.

    A thread that still uses Ray after `ray.shutdown` ends the whole process with status 1.
    """
    for thread in threading.enumerate():
        if thread.name.startswith("StreamingExecutor"):
            thread.join(_MOST_WAIT_S)


def _classified(portions: Datasource, this_machine: dict[str, str], job: Job, plan: Plan) -> Dataset:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # every portion travels alone, as soon as it is ready
    return ray.data.read_datasource(
        portions,
        override_num_blocks=1,
        num_cpus=0,
        label_selector=this_machine,
    ).map_batches(
        ClusterWorker,
        fn_constructor_args=(job, plan),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=plan.cores,
        num_gpus=plan.gpus,
        max_task_retries=_MOST_RETRIES,
        compute=ActorPoolStrategy(min_size=1, initial_size=plan.workers),
    )


class _Feed:
    """A thread that passes portions from this process to a Ray data source, which runs in another process of `machine`."""

    def __init__(self, portions: Iterable[Portion], machine: dict[str, str]) -> None:
        self._portions = portions
        self._queue = Queue(_QUEUE_LENGTH, actor_options={"num_cpus": 0, "label_selector": machine})
        self._is_closed = threading.Event()
        self._given = 0
        self._error: BaseException | None = None
        self.datasource = _QueuedPortions(self._queue)
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> "_Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._queue.shutdown(force=True)
        self._thread.join(_MOST_WAIT_S)

    def check(self, done: int) -> None:
        """Raise the error that ended the portions early, or EdgeclfError if some of them have no result."""
        if self._error:
            raise self._error
        if done != self._given:
            raise EdgeclfError(f"the cluster lost {self._given - done:,} of {self._given:,} portions; {_CONTINUE}")

    def _feed(self) -> None:
        try:
            for portion in self._portions:
                self._put(portion)
                self._given += 1
        except Exception as error:
            self._error = error
        self._put(None)

    def _put(self, portion: Portion | None) -> None:
        try:
            self._queue.put(portion)
        except Exception:
            if not self._is_closed.is_set():
                raise


class _QueuedPortions(Datasource):  # type: ignore[misc]
    """One task that takes portions from a queue until it gets None."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(self._take, unknown)]

    def _take(self) -> Iterator[pa.Table]:
        while (portion := self._queue.get()) is not None:
            yield pack([portion])
        self._queue.put(None)  # if this task dies here, the next one must find the end too
