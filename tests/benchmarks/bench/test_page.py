"""One page that opens from the disk: the recommendation, then all figures. No name from outside becomes markup."""

from dataclasses import replace

import pytest

from edgeclf.benchmarks.bench.page import page
from edgeclf.benchmarks.bench.report import Report
from edgeclf.runtime.version import __version__
from tests.support.bench_reports import MACHINE, make_report, make_result, mixed_results, without_accuracy
from tests.support.pages import Page

HOSTILE = ("<script>alert(1)</script>", "\"onload='x'", "two\nlines", "caf\udce9", "\u202etxt.exe", "&lt;b&gt;")
SPELT = ("<script>alert(1)</script>", "\"onload='x'", r"two\nlines", r"caf\xe9", r"\u202etxt.exe", "&lt;b&gt;")
SMALLEST_PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (300).to_bytes(4) + (200).to_bytes(4)


def everywhere(name: str) -> Report:
    """A report in which everything from outside is called `name`."""
    machine = replace(MACHINE, processor=name, features=(name,), system=name, packages={name: name})
    report = make_report(
        (make_result(name, engine=name), make_result(name, device=name)),
        images=name,
        machine=machine,
        because=name,
        notes=(name,),
        misses=(name,),
    )
    assert report.reference is not None
    return replace(report, reference=replace(report.reference, name=name + " itself"))


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    parsed = Page(page(make_report(), SMALLEST_PNG))
    assert parsed.well_nested
    assert [source.partition(",")[0] for source in parsed.resources] == ["data:image/png;base64"]
    assert not [word for word in ("url(", "@import", "http", "<script", "<link") if word in page(make_report(), None)]


@pytest.mark.parametrize(("name", "spelt"), [*zip(HOSTILE, SPELT, strict=True)], ids=map(ascii, HOSTILE))
def test_nothing_from_outside_becomes_markup(name: str, spelt: str) -> None:
    parsed = Page(page(everywhere(name), SMALLEST_PNG, command=name))
    known = {"html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "p", "div", "img", "ul", "li"}
    assert set(parsed.tags) <= known | {"table", "tr", "th", "td", "figure", "figcaption"}
    assert parsed.attributes == {"lang", "charset", "name", "content", "class", "width", "alt", "src"}
    assert parsed.texts.count(spelt) >= 10


def test_the_recommendation_comes_first() -> None:
    lead = "Ship model.int8.tflite (cpu, batch 1, 2 threads): the fastest that keeps the accuracy, 4.70 MB."
    assert f'<h1>clf-bench</h1>\n<p class="lead">{lead}</p>' in page(make_report(), None)


def test_missed_gates_come_before_the_figures() -> None:
    texts = Page(page(make_report(misses=("too slow",)), SMALLEST_PNG)).texts
    assert texts.index("too slow") < texts.index("Accuracy against speed") < texts.index("Speed")


def test_everything_measured_is_on_the_page() -> None:
    texts = set(Page(page(make_report(notes=("a note",)), None)).texts)
    assert {"p50 ms", "p90 ms", "p99 ms", "of the limit", "95 % interval", "cold-start CPU", "cold-start memory"} <= texts
    assert {"round 1", "round 3", "limit 1", "limit 3", "a note"} <= texts
    assert {"avx2, avx512_vnni, fma", "2 usable of 8", "25.8 GB", "0.3 before, 2.1 after"} <= texts
    assert f"edgeclf {__version__}, onnxruntime 1.31.1, ai-edge-litert 2.3.0" in texts


def test_a_ratio_whose_interval_holds_1_is_no_clear_difference() -> None:
    report = make_report()
    texts = Page(page(report, None)).texts
    assert "1.02 (1.00 to 1.06): no clear difference" in texts
    clear = str(report.results[3].ratio)
    assert clear in texts


def test_the_command_is_shown_if_it_is_known() -> None:
    assert {"command", "clf-bench runs/a -o b"} <= set(Page(page(make_report(), None, "clf-bench runs/a -o b")).texts)
    assert "command" not in Page(page(make_report(), None)).texts


def test_the_recommended_result_is_marked_in_every_table() -> None:
    assert page(make_report(), None).count('<tr class="marked"><td>model.int8.tflite</td>') == 4
    assert '<tr class="marked">' not in page(make_report(ship=None), None)


def test_configurations_have_columns_where_they_differ() -> None:
    assert "<th>file</th><th>device</th>" in page(make_report(mixed_results()), None)
    assert "device" not in Page(page(make_report(), None)).texts


def test_numbers_are_aligned_on_the_right() -> None:
    assert '<td class="number">419</td>' in page(make_report(), None)


def test_without_labels_there_is_no_accuracy_section() -> None:
    texts = Page(page(without_accuracy(make_report()), SMALLEST_PNG)).texts
    assert "Accuracy" not in texts
    assert "Images per second" in texts


def test_without_a_plot_there_is_no_empty_section() -> None:
    assert "Accuracy against speed" not in Page(page(make_report(), None)).texts


def test_facts_that_the_system_does_not_report_are_left_out() -> None:
    texts = Page(page(make_report(load=None, machine=replace(MACHINE, memory_bytes=None, features=())), None)).texts
    assert {"memory", "processor features", "load average (1 minute)"} & set(texts) == set()
