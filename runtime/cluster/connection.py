"""A Ray cluster for the length of a run: one that is there, or one of this machine's cores; and quiet."""

import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout

from edgeclf.runtime.cluster.plan import Machine
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError, first_line
from edgeclf.runtime.terminal.console import Terminated

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or under `uv run` the current folder, images and all, goes to every machine
}
_PATIENCE_S = 5.0
"""For an answer at HOST:PORT."""
_LOCAL_STORE_BYTES = 256 << 20
"""For the model and for names of images, which is nearly all that travels."""


@contextmanager
def connected(address: str | None) -> Iterator[list[Machine]]:
    """The machines of the cluster at `auto` or `HOST:PORT`; None makes one of this machine's cores, and ends it again.

    Meanwhile Ray prints nothing. Raises EdgeclfError where there is no cluster.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with ExitStack() as stack:
        if not os.environ.get("EDGECLF_VERBOSE"):
            stack.enter_context(_quiet())
        import ray

        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        stack.callback(ray.shutdown)
        _connect(address)
        for number, handler in handlers.items():  # Ray puts its own in their place
            signal.signal(number, handler)
        given = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield [Machine(int(one.get("CPU", 0)), int(one.get("GPU", 0))) for one in given]


def _connect(address: str | None) -> None:
    import ray

    quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    try:
        if address is None:
            ray.init(
                "local", num_cpus=usable_cores(), include_dashboard=False, object_store_memory=_LOCAL_STORE_BYTES, **quiet
            )
        else:
            _check_reachable(address)
            ray.init(address, **quiet)
    except SystemExit:  # Ray's handler of SIGTERM, until ours are back
        raise Terminated from None
    except Exception as error:  # Ray raises many classes, and Exception itself
        why = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        if address is None:
            raise EdgeclfError(f"Ray does not start on this machine ({why}); try again when it is less busy") from None
        raise EdgeclfError(
            f"no way into a Ray cluster at {address} ({why}); if none is there, start one with ray start --head; if it asks "
            "for a token, set RAY_AUTH_MODE=token; and use its version of Ray"
        ) from None


def _check_reachable(address: str) -> None:
    """Raise OSError where nobody answers at HOST:PORT, for Ray would try for minutes; ValueError for a client's address."""
    if "://" in address:
        raise ValueError("Ray's client cannot do it; run the command on a machine of the cluster, with auto")
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray prints what goes wrong on any machine to the driver's stdout, and logs and warns much besides."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), warnings.catch_warnings(record=True):
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
