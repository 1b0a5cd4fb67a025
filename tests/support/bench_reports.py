"""Made-up results of `clf-bench`."""

from dataclasses import replace
from typing import Any

from edgeclf.benchmarks.bench.report import Accuracy, BenchResult, ColdStart, Interval, Latency, Reference, Report
from edgeclf.benchmarks.machine import Machine

MACHINE = Machine(
    processor="Made-up(R) Processor",
    features=("avx2", "avx512_vnni", "fma"),
    cores_usable=2,
    cores=8,
    memory_bytes=24 << 30,
    system="Linux x86_64",
    python="3.11.7",
    packages={"onnxruntime": "1.31.1", "ai-edge-litert": "2.3.0"},
)


def make_result(name: str = "model.onnx", rate: float = 200.0, correct: int = 490, **changes: Any) -> BenchResult:
    """A result with rates of about `rate`; the suffix of the name decides between onnxruntime and LiteRT."""
    result = BenchResult(
        name=name,
        path=f"/models/{name}",
        size_bytes=17_345_678,
        engine="LiteRT 2.3.0" if name.endswith(".tflite") else "onnxruntime 1.31.1",
        device="cpu",
        batch=1,
        threads=2,
        rates=(rate * 0.97, rate, rate * 1.02),
        limits=(rate * 1.1, rate * 1.08, rate * 1.12),
        ratio=Interval(rate / 200 * 0.98, rate / 200, rate / 200 * 1.03),
        of_limit=Interval(0.88, 0.92, 0.95),
        latency=Latency(1600 / rate, 1800 / rate, 2500 / rate),
        memory_bytes=151_000_000,
        cold_start=ColdStart(0.412, 0.63, 95_000_000),
        accuracy=Accuracy(images=525, correct=correct, agreement=0.9962, max_difference=3.1e-7),
        best=False,
    )
    return replace(result, **changes)


def usual_results() -> tuple[BenchResult, ...]:
    """Named as `clf-export` names its files; the fourth is the recommended one."""
    return (
        make_result("model.onnx", 222, 498, best=True),
        make_result("model.dynamic.onnx", 205, 492, size_bytes=5_200_000),
        make_result("model.int8.onnx", 301, 493, size_bytes=4_950_000),
        make_result("model.int8.tflite", 419, 496, size_bytes=4_700_000, best=True),
        make_result("model.fp16.tflite", 262, 498, size_bytes=8_700_000, best=True),
        make_result("model.tflite", 260, 498),
    )


def make_report(results: tuple[BenchResult, ...] = (), **changes: Any) -> Report:
    """A report of `results`, or of the usual ones; the fourth result is recommended, or the last one if there are fewer."""
    results = results or usual_results()
    report = Report(
        results=results,
        reference=Reference("model.keras", Accuracy(525, 498, 1.0, 0.0), ColdStart(7.9, 9.94, 584_000_000), 19_000_000),
        images="525 of 2,624 images of the test part of photos/; speed on 200 of them",
        end_to_end=True,
        rounds=3,
        seconds=3.0,
        machine=MACHINE,
        load=(0.3, 2.1),
        ship=min(3, len(results) - 1),
        because="ship model.int8.tflite (cpu, batch 1, 2 threads): the fastest that keeps the accuracy, 4.70 MB",
        notes=(),
        misses=(),
    )
    return replace(report, **changes)


def mixed_results() -> tuple[BenchResult, ...]:
    """Three files in configurations that differ in everything; the last one is recommended."""
    return (
        make_result("model.onnx", 200, 498, threads=1),
        make_result("model.onnx", 2345, 497, device="cuda:0", batch=32, best=True),
        make_result("model.dynamic.tflite", 310, 491, threads=1),
        make_result("model.int8.tflite", 419, 495, batch=8, best=True),
    )


def without_accuracy(report: Report) -> Report:
    """The same report for images without labels."""
    results = tuple(replace(result, accuracy=None) for result in report.results)
    return replace(report, results=results, reference=None)
