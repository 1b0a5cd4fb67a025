"""A connection to Ray for the length of a run: to an existing cluster, or to one made of this machine's cores."""

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
    "RAY_USAGE_STATS_ENABLED": "0",  # send no reports
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # otherwise `uv run` sends the current folder, images and all, to every machine
}
_CONNECT_TIMEOUT_S = 5.0
_LOCAL_STORE_BYTES = 256 << 20
"""For the model and the names of images, which is nearly all that travels."""


@contextmanager
def connected(address: str | None) -> Iterator[list[Machine]]:
    """The machines of the cluster at `auto` or `HOST:PORT`. None starts a cluster on this machine, and stops it afterwards.

    Ray prints nothing meanwhile. Raises EdgeclfError if there is no cluster.
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
        for number, handler in handlers.items():  # Ray has replaced them with its own
            signal.signal(number, handler)
        resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield [Machine(int(one.get("CPU", 0)), int(one.get("GPU", 0))) for one in resources]


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
    except SystemExit:  # from Ray's handler of SIGTERM, which is in place until ours is restored
        raise Terminated from None
    except Exception as error:  # Ray raises many classes, even Exception itself
        why = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        if address is None:
            raise EdgeclfError(f"Ray does not start on this machine ({why}); try again when it is less busy") from None
        raise EdgeclfError(
            f"cannot connect to a Ray cluster at {address} ({why}); start one with ray start --head, set "
            "RAY_AUTH_MODE=token if it needs a token, and use the same version of Ray"
        ) from None


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing answers at HOST:PORT, because Ray would try for minutes; ValueError for a client address."""
    if "://" in address:
        raise ValueError("the address of a Ray client does not work; run the command on a machine of the cluster, with auto")
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT_S).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Ray, which prints errors from all machines to stdout of this process, and logs and warns a lot besides."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), warnings.catch_warnings(record=True):
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
