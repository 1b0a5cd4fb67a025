"""The sentences beside the figures."""

from edgeclf.benchmarks.bench.notes import conditions, method, notes
from tests.support.bench_reports import make_report, make_result, mixed_results


def test_conditions_are_one_line() -> None:
    assert conditions(make_report()) == "end to end, cpu, batch 1, 2 threads; 3 rounds of 3 s each"
    assert conditions(make_report(mixed_results(), end_to_end=False, rounds=1)) == "inference only; 1 round of 3 s each"


def test_rounds_that_differ_a_lot_are_noted_first() -> None:
    results = (make_result(), make_result("b.onnx", rates=(100.0, 131.0, 120.0)))
    assert "b.onnx: 100 to 131 images per second" in notes(make_report(results))[0]


def test_rounds_that_are_close_are_not_noted() -> None:
    results = (make_result(), make_result("b.onnx", rates=(100.0, 129.0, 120.0)))
    assert not any("rounds differ" in sentence for sentence in notes(make_report(results)))


def test_pareto_optimal_results_are_named_except_the_recommended_one() -> None:
    (sentence,) = [each for each in notes(make_report()) if "Pareto-optimal" in each]
    assert sentence.startswith("also ")
    assert sentence.endswith(": model.onnx, model.fp16.tflite")


def test_pareto_optimal_results_are_named_with_their_configuration_where_it_differs() -> None:
    assert notes(make_report(mixed_results()))[-1].endswith(": model.onnx (cuda:0, batch 32, 2 threads)")


def test_without_a_recommendation_all_pareto_optimal_results_are_named() -> None:
    report = make_report(mixed_results(), ship=None)
    assert notes(report)[-1].startswith("Pareto-optimal")
    assert notes(report)[-1].endswith("model.int8.tflite (cpu, batch 8, 2 threads)")


def test_the_method_is_three_paragraphs() -> None:
    assert len(method(make_report())) == 3


def test_the_method_of_inference_only_mentions_no_limit_and_no_pipeline() -> None:
    text = " ".join(method(make_report(end_to_end=False)))
    assert "only the model" in text
    assert not [word for word in ("limit", "clf-run", "pipeline") if word in text]
