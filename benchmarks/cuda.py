"""Is a GPU as fast as the cores can read images for it? `python -m edgeclf.benchmarks.cuda [MODEL]...`

Classifies the same JPEGs with the pipeline, with the cores but no model, and with the model but no pipeline.
"""

import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import cv2
import numpy as np
import typer

from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.benchmarks.peers.rounds import Rates, rate, ratio
from edgeclf.benchmarks.photographs import write_photographs
from edgeclf.benchmarks.results import publish_section, table
from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.batching import best_batch
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.onnx_backend import OnnxBackend
from edgeclf.runtime.model.providers import try_providers
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

Workload = Callable[[], int]
"""Processes all images once, and returns their number."""
PIPELINE = "edgeclf"
EXPLAINED = """\
On one {gpu}, with {cores} cores. {images} JPEGs of 500 x 375, {different} of them different. Medians of {rounds}
interleaved rounds; ratios are taken within a round, with their quartiles.

- `edgeclf` is `edgeclf.runtime.pipeline.classify` with {cores} workers and automatic batch size, from files to predictions.
- `cores alone` reads, decodes and resizes the same files without a model, in one process per core.
- `model alone` classifies images in memory, with the same batch size, from {cores} threads or from one.
- `session.run` is `model alone` from {cores} threads, without I/O binding and page-locked memory.

"""
_DIFFERENT = 64


@app.command()
def cuda(
    models: Annotated[
        list[Path] | None, typer.Argument(help="ONNX files.", show_default="two networks, in fp32 and fp16")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="JPEGs per round.")] = 16384,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 7,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as temporary:
        if problem := try_providers()["CUDAExecutionProvider"]:
            raise DeviceError(f"this benchmark needs CUDA, but {problem}")
        folder, gpu, different = Path(temporary), gpu_name(), min(images, _DIFFERENT)
        write_many(folder / "photographs", images)
        text = EXPLAINED.format(gpu=gpu, cores=usable_cores(), images=images, different=different, rounds=rounds)
        for model in models or export_networks(folder):
            with workloads_of(model, folder / "photographs", "cuda") as (workloads, batch):
                text += f"`{model.name}`, batch {batch}:\n\n{report(measure(workloads, rounds))}\n"
        publish_section(f"CUDA: {gpu}", "edgeclf.benchmarks.cuda", text)
        print_data(text)


@contextmanager
def workloads_of(model: Path, photographs: Path, device: str) -> Iterator[tuple[dict[str, Workload], int]]:
    """The workloads for a model, by name, and the batch size that all of them use."""
    workers, files = usable_cores(), sorted(photographs.rglob("*.jpg"))
    bound, plain = (Classifier.open(model, device=device, threads=1) for _ in range(2))
    cast(OnnxBackend, plain.backend).bindings = None
    batch, read = best_batch(bound, workers), bound.card.preprocess
    images = np.stack([read(files[number % len(files)]) for number in range(batch)])
    batches = [images] * max(1, len(files) // batch)
    shares = [files[first::workers] for first in range(workers)]
    spawn = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    with ThreadPoolExecutor(workers) as threads, ProcessPoolExecutor(workers, spawn) as processes:
        workloads: dict[str, Workload] = {
            PIPELINE: lambda: sum(1 for _ in classify(open_source(str(photographs)), bound, batch=batch)),
            "cores alone": lambda: sum(processes.map(partial(_read_all, read), shares)),
            "model alone": lambda: sum(map(len, threads.map(bound.backend.run, batches))),
            "model alone, one thread": lambda: sum(map(len, map(bound.backend.run, batches))),
            "session.run": lambda: sum(map(len, threads.map(plain.backend.run, batches))),
        }
        yield workloads, batch


def measure(workloads: Mapping[str, Workload], rounds: int) -> list[Rates]:
    """Images per second of every workload, one dictionary per interleaved round. An extra first round warms up."""
    names, measured = list(workloads), []
    with Progress("measuring", (rounds + 1) * len(names), "run") as progress:
        for order in interleaved_rounds(names, rounds + 1):
            rates = {}
            for name in order:
                started = time.perf_counter()
                rates[name] = workloads[name]() / (time.perf_counter() - started)
                progress.advance(1, name)
            measured.append({name: rates[name] for name in names})
    return measured[1:]


def report(measured: list[Rates]) -> str:
    """A Markdown table of median rates, with the ratio of the pipeline to each."""
    rows = [
        (name, rate(measured, name), "" if name == PIPELINE else ratio(measured, PIPELINE, name)) for name in measured[0]
    ]
    return table(("", "images/s", "edgeclf is times as fast"), rows)


def write_many(folder: Path, count: int) -> None:
    """Write `count` JPEGs, most of them hard links: making one takes longer than reading a hundred."""
    write_photographs(folder / "different", min(count, _DIFFERENT), 375, 500)
    written = sorted((folder / "different").rglob("*.jpg"))
    for number in range(len(written), count):
        os.link(written[number % len(written)], folder / f"{number:06}.jpg")


def export_networks(folder: Path) -> Iterator[Path]:
    """Export the networks of the throughput benchmark in float32 and float16. Needs edgeclf[export]."""
    import onnx

    from edgeclf.benchmarks.throughput import export_network, networks
    from edgeclf.export.onnx_file import half_precision, pack

    for network in networks().values():
        export_network(network, folder)
        full = (folder / "model.onnx").rename(folder / f"{network.name}.onnx")
        half = full.with_suffix(".fp16.onnx")
        half.write_bytes(pack(half_precision(onnx.load(full)), Classifier.open(full, device="cpu").card))
        yield from (full, half)


def gpu_name() -> str:
    line = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "GPU unknown to nvidia-smi"


def _read_all(read: Preprocess, files: Sequence[Path]) -> int:
    keep_freed_memory()
    cv2.setNumThreads(1)
    return len([read(file).shape for file in files])


if __name__ == "__main__":
    app()
