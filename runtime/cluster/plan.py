"""How a cluster is shared out among workers: by cores, or by GPUs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import DeviceError, OptionError

_MOST_THREADS = 16
"""Of one worker: beyond it, Python's own work for each image keeps the threads waiting for each other."""

_DEVICES = ("auto", "cpu", "cuda", "tensorrt")


@dataclass(frozen=True)
class Machine:
    """What one machine of a cluster gives to it."""

    cores: int
    gpus: int = 0


@dataclass(frozen=True)
class Plan:
    """workers: to begin with; there are more as machines join. cores, gpus: that each has to itself. threads: of each.

    device: what each opens the model on, as for Classifier.open.
    """

    workers: int
    cores: int
    threads: int
    gpus: int
    device: str

    def __str__(self) -> str:
        return f"{_counted(self.workers, 'worker')} of {_counted(self.threads, 'thread')}"


def check_device(device: str) -> None:
    """Raise OptionError for what no cluster can be asked for."""
    kind, _, number = device.partition(":")
    if kind not in _DEVICES or (number and not number.isdecimal()):
        raise OptionError(f"--device takes {', '.join(_DEVICES)} with --ray, not {device!r}")
    if number:
        raise OptionError(f"--device {device} names one GPU of one machine, and Ray gives them out; write --device {kind}")


def share_out(machines: Sequence[Machine], device: str, threads: int | None, model: Path) -> Plan:
    """Workers that leave no core idle, each with as many as that allows, to share one model; or one for each GPU.

    device: as it was asked for; `auto` means GPUs where the cluster has some and onnxruntime here is a build for them.
    threads: of each worker, if not one for each of its cores; more wait for images from far away at the same time. Raises
    DeviceError.
    """
    kind = device
    with_gpus = [machine for machine in machines if machine.gpus]
    if kind == "auto":
        kind = "cuda" if with_gpus and model.suffix.lower() == ".onnx" and _built_for_cuda() else "cpu"
    if kind == "cpu":
        cores = _cores(machines, threads)
        return Plan(max(1, sum(machine.cores // cores for machine in machines)), cores, threads or cores, 0, kind)
    if not with_gpus:
        raise DeviceError(
            f"no machine of the Ray cluster has a GPU (see ray status), as --device {kind} needs; or --device cpu"
        )
    cores = max(1, min(machine.cores // machine.gpus for machine in with_gpus))
    return Plan(sum(machine.gpus for machine in with_gpus), cores, threads or cores, 1, kind)


def _cores(machines: Sequence[Machine], threads: int | None) -> int:
    """Of each worker: one for each thread where every machine has so many, else what all of them can be divided by."""
    cores = [machine.cores for machine in machines if machine.cores]
    if threads and cores and threads <= min(cores):
        return threads
    numbers = range(1, _MOST_THREADS + 1 if cores else 2)
    return max(number for number in numbers if all(one % number == 0 for one in cores))


def _built_for_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number > 1 else ''}"
