"""What is said beside the figures."""

from edgeclf.benchmarks.bench.notes import conditions, method, remarks
from tests.support.bench_reports import make_report, make_row, mixed_rows


def test_conditions_are_told_in_a_line() -> None:
    assert conditions(make_report()) == "end to end, cpu, batch 1, 2 threads; 3 rounds of 3 s each"
    assert conditions(make_report(mixed_rows(), end_to_end=False, rounds=1)) == "inference only; 1 round of 3 s each"


def test_rounds_that_are_far_apart_are_told_of() -> None:
    rows = (make_row(), make_row("b.onnx", rates=(100.0, 131.0, 120.0)))
    told = "the rounds are far apart (b.onnx: 100 to 131 images a second), as on a busy machine"
    assert remarks(make_report(rows))[0].startswith(told)


def test_rounds_that_are_close_are_not() -> None:
    rows = (make_row(), make_row("b.onnx", rates=(100.0, 129.0, 120.0)))
    assert not any("far apart" in sentence for sentence in remarks(make_report(rows)))


def test_what_nothing_beats_is_told_but_for_the_one_to_ship() -> None:
    told = "nothing beats model.onnx, model.fp16.tflite in speed, accuracy and size at once, either"
    assert told in remarks(make_report())


def test_what_nothing_beats_is_told_with_its_arrangement_where_they_differ() -> None:
    told = "nothing beats model.onnx (cuda:0, batch 32, 2 threads) in speed, accuracy and size at once, either"
    assert told in remarks(make_report(mixed_rows()))


def test_where_none_can_be_shipped_there_is_no_either() -> None:
    report = make_report(mixed_rows(), ship=None)
    assert "(cpu, batch 8, 2 threads) in speed, accuracy and size at once" in remarks(report)[-1][-70:]


def test_the_method_is_three_sentences() -> None:
    assert len(method(make_report())) == 3


def test_the_model_alone_has_no_limit_and_no_files() -> None:
    told = " ".join(method(make_report(end_to_end=False)))
    assert "the model alone" in told
    assert not [word for word in ("limit", "files", "pipeline") if word in told]
