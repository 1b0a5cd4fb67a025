"""Portions through the cluster on Ray Data: a stream that is fed from this process, and a pool of actors that classify."""

import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.util.queue import Queue

from edgeclf.runtime.cluster.job import Done, Job, Portion, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.cluster.worker import Worker
from edgeclf.runtime.errors import EdgeclfError

_AHEAD = 8
"""Portions that wait in the queue."""
_AGAIN = "the parts so far are kept, and the same command goes on from there"
_MOST_DEATHS = 10
"""Workers that may die over one portion: machines come and go, but images that kill would kill for ever."""


def classify_portions(portions: Iterable[Portion], job: Job, plan: Plan) -> Generator[Done, None, None]:
    """What became of each portion, in no order; those of a worker that was lost are done again by another one.

    Raises EdgeclfError, and whatever the portions raise, once those before are done.
    """
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # every portion travels alone, as soon as it is there
    # What only this machine holds is lost with it alone, and then the run is, too.
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    with _Feed(portions, here) as feed:
        results = ray.data.read_datasource(
            feed.datasource,
            override_num_blocks=1,
            num_cpus=0,
            label_selector=here,
        ).map_batches(
            Worker,
            fn_constructor_args=(job, plan),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=plan.cores,
            num_gpus=plan.gpus,
            max_task_retries=_MOST_DEATHS,
            compute=ActorPoolStrategy(min_size=1, initial_size=plan.workers),
        )
        count = 0
        try:
            for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
                for done in unpack(table):
                    if done.trouble:
                        raise done.trouble
                    count += 1
                    yield done
        except ray.exceptions.RayError as error:
            cause = str(error).strip().rpartition("\n")[2].partition(". ")[0]  # the first sentence after a traceback
            raise EdgeclfError(f"the cluster gave up ({cause[:200]}); {_AGAIN}") from error
        feed.check(count)


class _Feed:
    """A thread that hands portions, which are made in this process, to a Ray Data source in another process of `machine`."""

    def __init__(self, portions: Iterable[Portion], machine: dict[str, str]) -> None:
        self._portions = portions
        self._queue = Queue(_AHEAD, actor_options={"num_cpus": 0, "label_selector": machine})
        self._ended = threading.Event()
        self._given = 0
        self._error: BaseException | None = None
        self.datasource = _Portions(self._queue)
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> "_Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._queue.shutdown(force=True)

    def check(self, done: int) -> None:
        """Raise what ended the portions before their time, or EdgeclfError where not so many were given."""
        if self._error:
            raise self._error
        if done != self._given:
            raise EdgeclfError(f"the cluster lost {self._given - done:,} of {self._given:,} portions; {_AGAIN}")

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
            if not self._ended.is_set():  # else nobody wants it any more
                raise


class _Portions(Datasource):  # type: ignore[misc]
    """One task that takes portions from a queue until there is None."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(self._taken, unknown)]

    def _taken(self) -> Iterator[pa.Table]:
        while (portion := self._queue.get()) is not None:
            yield pack([portion])
        self._queue.put(None)  # for the next one, if this one dies here
