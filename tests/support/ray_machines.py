"""A Ray cluster of two simulated machines, in a process of its own. Run as a program, this module is that process.

`python -m tests.support.ray_machines` prints the address. The line `kill` on stdin kills the second machine; the end of
stdin stops both.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Machines:
    """address: for --ray."""

    address: str
    _process: "subprocess.Popen[str]"

    def kill_one(self) -> None:
        """Kill the machine that does not own the address, with everything that runs on it, like a power cut."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "killed\n"


@contextmanager
def two_machines() -> Iterator[Machines]:
    """A cluster of two machines with one core each."""
    line = [sys.executable, "-m", "tests.support.ray_machines"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Machines(process.stdout.readline().strip(), process)
        process.communicate(timeout=60)


def main() -> None:
    import os

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = cluster.add_node(num_cpus=1)
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        if line == "kill\n":
            cluster.remove_node(other, allow_graceful=False)
            sys.stdout.write("killed\n")
            sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
