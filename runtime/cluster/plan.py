"""How a cluster is divided among workers: by cores, or by GPUs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.terminal.plural import plural

_MOST_THREADS = 16
"""In one worker. With more, threads wait for each other: Python itself does a little work for each image."""

_DEVICES = ("auto", "cpu", "cuda", "tensorrt")


@dataclass(frozen=True)
class Machine:
    """What one machine contributes to the cluster."""

    cores: int
    gpus: int = 0


@dataclass(frozen=True)
class Plan:
    """workers: at the start; more are added as machines join. cores, gpus: reserved for each worker. threads: in each.

    device: what each worker opens the model on, as for Classifier.open.
    """

    workers: int
    cores: int
    threads: int
    gpus: int
    device: str

    def __str__(self) -> str:
        return f"{plural(self.workers, 'worker')} with {plural(self.threads, 'thread')} each"


def check_device(device: str) -> None:
    """Raise OptionError for a device that a cluster cannot be asked for."""
    kind, _, number = device.partition(":")
    if kind not in _DEVICES or (number and not number.isdecimal()):
        raise OptionError(f"with --ray, --device takes {', '.join(_DEVICES)}, not {device!r}")
    if number:
        raise OptionError(f"--device {device} names a single GPU, but Ray assigns the GPUs; use --device {kind}")


def make_plan(machines: Sequence[Machine], device: str, threads: int | None, model: Path) -> Plan:
    """Divide the cores so that none is idle, into as few workers as possible, because each holds a model; or one per GPU.

    device: as requested. `auto` means GPUs if the cluster has any and the installed onnxruntime supports them. threads: of
    each worker, by default one for each of its cores; more of them wait for remote images at the same time. Raises
    DeviceError.
    """
    kind = device
    with_gpus = [machine for machine in machines if machine.gpus]
    if kind == "auto":
        kind = "cuda" if with_gpus and model_format(model) == "ONNX" and _built_for_cuda() else "cpu"
    if kind == "cpu":
        cores = _cores_per_worker(machines, threads)
        workers = max(1, sum(machine.cores // cores for machine in machines))
        return Plan(workers=workers, cores=cores, threads=threads or cores, gpus=0, device=kind)
    if not with_gpus:
        raise DeviceError(
            f"--device {kind} needs a GPU, and no machine of the Ray cluster has one (see ray status); or use --device cpu"
        )
    cores = max(1, min(machine.cores // machine.gpus for machine in with_gpus))
    workers = sum(machine.gpus for machine in with_gpus)
    return Plan(workers=workers, cores=cores, threads=threads or cores, gpus=1, device=kind)


def _cores_per_worker(machines: Sequence[Machine], threads: int | None) -> int:
    """One core per thread if every machine has that many; otherwise the largest number that divides all machines' cores."""
    cores = [machine.cores for machine in machines if machine.cores]
    if threads and cores and threads <= min(cores):
        return threads
    candidates = range(1, _MOST_THREADS + 1 if cores else 2)
    return max(number for number in candidates if all(count % number == 0 for count in cores))


def _built_for_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
