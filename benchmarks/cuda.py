"""How near does a GPU come to what the cores can read for it? `python -m edgeclf.benchmarks.cuda [MODEL]...`

The same JPEGs through the pipeline, through the cores without a model, and through the model without the pipeline.
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
from edgeclf.runtime.pipeline import classify
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.terminal.console import command_app, friendly_errors
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

Job = Callable[[], int]
"""Does all images once and counts them."""
PIPELINE = "edgeclf"
EXPLAINED = """\
On one {gpu}, with {cores} cores. {images} JPEGs of 500 x 375, {different} different ones. Medians over {rounds}
interleaved rounds; ratios are taken within a round, with their quartiles.

- `edgeclf` is `edgeclf.runtime.pipeline.classify` with {cores} workers and the automatic batch, from files to answers.
- `cores alone` reads, decodes and resizes the same files, in a process a core, and has no model.
- `model alone` answers images that are in memory already: the same batch, from {cores} threads or from one.
- `session.run` is `model alone` from {cores} threads without I/O binding and without page-locked memory.

"""
_DIFFERENT = 64


@app.command()
def cuda(
    models: Annotated[list[Path] | None, typer.Argument(help="ONNX files; default two networks, in fp32 and fp16.")] = None,
    images: Annotated[int, typer.Option(min=1, help="JPEGs a round.")] = 16384,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 7,
) -> None:
    """Measure, print the tables, and put them into benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as temporary:
        if problem := try_providers()["CUDAExecutionProvider"]:
            raise DeviceError(f"this benchmark needs CUDA, but {problem}")
        folder, gpu, different = Path(temporary), gpu_name(), min(images, _DIFFERENT)
        write_many(folder / "photographs", images)
        text = EXPLAINED.format(gpu=gpu, cores=usable_cores(), images=images, different=different, rounds=rounds)
        for model in models or export_networks(folder):
            with jobs_of(model, folder / "photographs", "cuda") as (jobs, batch):
                text += f"`{model.name}`, batch {batch}:\n\n{report(measure(jobs, rounds))}\n"
        publish_section(f"CUDA: {gpu}", "edgeclf.benchmarks.cuda", text)
        typer.echo(text)


@contextmanager
def jobs_of(model: Path, photographs: Path, device: str) -> Iterator[tuple[dict[str, Job], int]]:
    """What is measured of a model, by name, and the batch that all of it takes."""
    workers, files = usable_cores(), sorted(photographs.rglob("*.jpg"))
    bound, plain = (Classifier.open(model, device=device, threads=1) for _ in range(2))
    cast(OnnxBackend, plain.backend).bindings = None
    batch, read = best_batch(bound, workers), bound.card.preprocess
    images = np.stack([read(files[number % len(files)]) for number in range(batch)])
    batches = [images] * max(1, len(files) // batch)
    shares = [files[first::workers] for first in range(workers)]
    spawn = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    with ThreadPoolExecutor(workers) as threads, ProcessPoolExecutor(workers, spawn) as processes:
        jobs: dict[str, Job] = {
            PIPELINE: lambda: sum(1 for _ in classify(open_source(str(photographs)), bound, batch=batch)),
            "cores alone": lambda: sum(processes.map(partial(_read_all, read), shares)),
            "model alone": lambda: sum(map(len, threads.map(bound.backend.run, batches))),
            "model alone, one thread": lambda: sum(map(len, map(bound.backend.run, batches))),
            "session.run": lambda: sum(map(len, threads.map(plain.backend.run, batches))),
        }
        yield jobs, batch


def measure(jobs: Mapping[str, Job], rounds: int) -> list[Rates]:
    """Images a second of every job, a dictionary a round, each round begun by another; a first round warms up."""
    names, measured = list(jobs), []
    with Progress("measuring", (rounds + 1) * len(names), "run") as progress:
        for order in interleaved_rounds(names, rounds + 1):
            rates = {}
            for name in order:
                started = time.perf_counter()
                rates[name] = jobs[name]() / (time.perf_counter() - started)
                progress.advance(1, name)
            measured.append({name: rates[name] for name in names})
    return measured[1:]


def report(measured: list[Rates]) -> str:
    """A Markdown table of median rates, with the pipeline's ratio to each."""
    rows = [
        (name, rate(measured, name), "" if name == PIPELINE else ratio(measured, PIPELINE, name)) for name in measured[0]
    ]
    return table(("", "images/s", "edgeclf is times as fast"), rows)


def write_many(folder: Path, count: int) -> None:
    """`count` JPEGs, few of them different: to make one takes longer than to read a hundred."""
    write_photographs(folder / "different", min(count, _DIFFERENT), 375, 500)
    written = sorted((folder / "different").rglob("*.jpg"))
    for number in range(len(written), count):
        os.link(written[number % len(written)], folder / f"{number:06}.jpg")


def export_networks(folder: Path) -> Iterator[Path]:
    """The throughput benchmark's networks, in float32 and in float16. Needs edgeclf[export]."""
    import onnx

    from edgeclf.benchmarks.throughput import export_network, networks
    from edgeclf.export.to_onnx import halved, pack

    for network in networks().values():
        export_network(network, folder)
        full = (folder / "model.onnx").rename(folder / f"{network.name}.onnx")
        half = full.with_suffix(".fp16.onnx")
        half.write_bytes(pack(halved(onnx.load(full)), Classifier.open(full, device="cpu").card))
        yield from (full, half)


def gpu_name() -> str:
    line = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "GPU that nvidia-smi does not name"


def _read_all(read: Preprocess, files: Sequence[Path]) -> int:
    keep_freed_memory()
    cv2.setNumThreads(1)
    return len([read(file).shape for file in files])


if __name__ == "__main__":
    app()
