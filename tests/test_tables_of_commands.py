"""Every table of every command, on real terminals of 60, 80 and 120 columns: no name, number or word is cut."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from edgeclf.benchmarks.bench.table import show as show_bench
from edgeclf.benchmarks.clf_demo import DemoResult, _show
from edgeclf.export.gate_report import GateReport
from edgeclf.export.options import GateLimits
from edgeclf.export.parity import Parity
from edgeclf.export.table import show as show_export
from edgeclf.runtime.inspection.environment import inspect_environment
from edgeclf.runtime.inspection.environment_report import environment_sections
from edgeclf.runtime.inspection.model_info import inspect_model
from edgeclf.runtime.inspection.model_report import model_sections
from edgeclf.runtime.inspection.report import print_sections
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.summary import Summary
from edgeclf.train.cli.clf_check import MEANINGS, _show_table
from edgeclf.train.data.findings import Checkup, Finding, Kind, Severity
from edgeclf.train.results.table import show as show_classes
from tests.support.bench_reports import make_report, make_result, mixed_results
from tests.support.terminal import shown_in_terminal

WIDE = 1000
LONG = "a-model-with-a-long-name-for-line-7-of-the-factory-in-2026-quantised.int8.tflite"
FILES = ("model.onnx", "model.dynamic.onnx", "model.int8.onnx", "model.fp32.tflite", "model.int8.tflite")
CLASSES = ("defective", "functional", "Grönlandwal (Balaena mysticetus)", "猫とその友だち")
LONG_CLASSES = (*CLASSES, "Campephilus principalis (Linnaeus, 1758), the ivory-billed woodpecker, adult, in flight")


def export_table(files: tuple[str, ...]) -> Callable[[], None]:
    first = Parity(
        name="",
        precision="fp32",
        images=12_345,
        size_bytes=123_456_789,
        reference_correct=12_000,
        correct=11_999,
        agreement=0.9998,
        clear=12_000,
        clear_agreed=12_000,
        max_difference=3.1e-7,
        misses=(),
        milliseconds=12.3,
    )
    parities = tuple(replace(first, name=file) for file in files)
    return lambda: show_export(GateReport(parities, "the trained model", "photos/", GateLimits()))


def demo_table() -> None:
    test = {"images": 525, "accuracy_95_interval": (0.9, 0.95), "majority_share": 0.7}
    results = [DemoResult(name, 0.9486, 17_345_678, 0.9962, 3e-7, 1234.5) for name in ("Keras", "ONNX fp32", "TFLite INT8")]
    _show({"test": test}, results)


def class_table(classes: tuple[str, ...]) -> Callable[[], None]:
    counts = {"images": 1_234_567, "recall": 0.9912, "precision": 0.9876, "f1": None}
    return lambda: show_classes({"by_class": dict.fromkeys(classes, counts)})


def check_table() -> None:
    findings = [Finding(kind, Severity.WARNING, ("a.jpg",), "") for kind in Kind]
    _show_table(Checkup({}, tuple(findings), {}))


def summary_table(classes: tuple[str, ...]) -> Callable[[], None]:
    summary = Summary()
    for name in classes:
        summary.add(Row("x.jpg", "ok", name, 0.9))
    summary.add(Row("y.jpg", "error", error="unreadable"))
    return summary.show


BENCH = {
    "usual": make_report(),
    "mixed": make_report(mixed_results()),
    "long": make_report((make_result(LONG), make_result("model.onnx", device="cuda:0", batch=32))),
}
TABLES = {
    "clf-export": (export_table(FILES), FILES),
    "clf-export, a long name": (export_table((*FILES, LONG)), (*FILES, LONG)),
    "clf-demo": (demo_table, ("Keras", "ONNX fp32", "TFLite INT8")),
    "clf-train": (class_table(CLASSES), CLASSES),
    "clf-train, a long name": (class_table(LONG_CLASSES), LONG_CLASSES),
    "clf-check": (check_table, tuple(MEANINGS)),
    "clf-run": (summary_table(CLASSES), CLASSES),
    "clf-run, a long name": (summary_table(LONG_CLASSES), LONG_CLASSES),
    **{
        f"clf-bench, {name}": ((lambda report=report: show_bench(report)), tuple(each.name for each in report.results))
        for name, report in BENCH.items()
    },
}
each_table = pytest.mark.parametrize(("show", "names"), TABLES.values(), ids=TABLES)
each_width = pytest.mark.parametrize("columns", [60, 80, 120])


def lines_of(show: Callable[[], object], columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that were printed, without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", shown_in_terminal(show, columns, monkeypatch)).replace("\r\n", "\n").splitlines()


def pieces(lines: list[str]) -> list[str]:
    return [piece for line in lines for piece in re.split(r" {2,}", line.strip())]


@each_width
@each_table
def test_every_name_and_every_shown_cell_is_whole(
    show: Callable[[], None], names: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pieces(lines_of(show, WIDE, monkeypatch))
    known = {*whole, *(f"{title} {cell}" for title in whole for cell in whole), ""}
    printed = lines_of(show, columns, monkeypatch)

    assert [name for name in names if not any(name in line for line in printed)] == []
    found = [piece for piece in pieces(printed) if piece not in known and not piece.startswith("not shown: ")]
    parts_of_titles_and_sentences = [piece for piece in found if any(piece in f"{each} " for each in known if " " in each)]
    assert found == parts_of_titles_and_sentences


@each_width
@each_table
def test_no_line_of_a_table_is_wider_than_the_terminal_unless_a_single_name_is(
    show: Callable[[], None], names: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = lines_of(show, WIDE, monkeypatch)
    wider = [line for line in lines_of(show, columns, monkeypatch) if cell_len(line) > columns]
    assert [line for line in wider if line not in names and line not in sentences] == []


@pytest.mark.parametrize("columns", [80, 120])
def test_usual_tables_of_80_columns_have_a_line_for_each_row(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = lines_of(export_table(FILES), columns, monkeypatch)
    assert [line.split()[0] for line in printed if line.startswith("model.")] == list(FILES)
    assert all(len(line.split()) > 5 for line in printed if line.startswith("model."))


def test_a_reader_is_told_which_columns_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not shown: 95 % interval, difference" in lines_of(export_table(FILES), 70, monkeypatch)
    assert not [line for line in lines_of(export_table(FILES), 120, monkeypatch) if "not shown" in line]


@each_width
def test_clf_inspect_keeps_files_and_classes_whole(
    columns: int, onnx_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a copy {LONG}".replace(".int8.tflite", ".onnx")
    path.write_bytes(onnx_model.read_bytes())
    info = inspect_model(path)
    assert info.card
    classes = LONG_CLASSES[-2:]
    card = replace(info.card, classes=classes)

    printed = lines_of(lambda: print_sections(model_sections(replace(info, card=card))), columns, monkeypatch)

    names = (str(path), *classes)
    assert [name for name in names if not any(name in line for line in printed)] == []
    too_wide = [line for line in printed if cell_len(line) > columns]
    assert [line for line in too_wide if not any(name in line for name in (*names, info.digests.sha256))] == []


@each_width
def test_clf_inspect_of_the_machine_fits(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inspect_environment()
    printed = lines_of(lambda: print_sections(environment_sections(found)), columns, monkeypatch)
    assert [line for line in printed if cell_len(line) > columns and found.executable not in line] == []
