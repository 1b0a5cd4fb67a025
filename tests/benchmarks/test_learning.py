"""What the benchmark of learning counts: stages by what clf-train says, answers by image, differences by pair."""

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeclf.benchmarks import learning, paired, stage_times
from edgeclf.benchmarks.learners import Learned, read_labels
from edgeclf.benchmarks.learning import GUIDE, OURS, parse_seeds, report
from edgeclf.benchmarks.paired import chance, points_more, won_and_lost
from edgeclf.benchmarks.stage_times import measure, stage_seconds
from edgeclf.runtime.errors import OptionError


@pytest.mark.parametrize("module", [learning, paired, stage_times], ids=lambda module: module.__name__)
def test_the_examples_in_the_text_are_right(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_training_from_scratch_has_one_stage() -> None:
    assert stage_seconds([(3.0, "training: at most 40 epochs"), (9.0, "epoch 1/40: x; 2 s"), (50.0, "evaluating ...")]) == {
        "training": 47.0
    }


def test_a_version_that_says_nothing_known_has_no_stages() -> None:
    assert stage_seconds([(1.0, "loading"), (2.0, "done")]) == {}


def test_fine_tuning_that_is_left_out_takes_no_time() -> None:
    lines = [(1.0, "head: at most 60 epochs"), (5.0, "epoch 1/60: x; 1.5 s"), (6.0, "fine-tuning: left out, because x")]
    assert stage_seconds([*lines, (6.5, "evaluating ...")]) == {"head": 3.0, "features": 2.5}


def test_a_command_is_measured_with_its_code_and_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('one', file=sys.stderr); sum(range(3_000_000)); sys.exit(3)"
    done = measure([sys.executable, "-c", script])
    assert (done.code, [line for _, line in done.lines]) == (3, ["one"])
    assert 0 < done.lines[0][0] <= done.seconds
    assert done.cpu_seconds > 0
    assert capsys.readouterr().err == "one\n"


def test_rows_are_put_in_the_order_of_the_images(tmp_path: Path) -> None:
    rows = ["path,status,label,guess", "x/2.png,ok,b,", "x/0.png,ok,a,", "x/1.png,error,,", "x/3.png,unknown,,b"]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    assert read_labels(tmp_path / "rows.csv", 4) == ["a", "", "b", "b"]


def test_an_image_of_several_seeds_counts_once() -> None:
    all_right, all_wrong = np.ones(2, bool), np.zeros(2, bool)
    images = [["a", "b"], ["b", "c"]]
    assert won_and_lost([all_right, all_right], [all_wrong, all_wrong], images) == (3, 0)
    assert won_and_lost([all_right, all_wrong], [all_wrong, all_right], images) == (1, 1)


def test_one_seed_has_a_difference_without_an_interval() -> None:
    assert points_more([np.array([True, True])], [np.array([True, False])]) == "+50.0"


def test_chance_is_that_of_mcnemars_exact_test() -> None:
    assert chance(10, 2) == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert chance(2, 10) == chance(10, 2)


def test_the_report_has_each_learner_and_each_pair() -> None:
    right, worse = np.array([True] * 8), np.array([True, False] * 4)
    ours = [Learned({"features": 2.0, "export": 4.0}, 10.0, 15.0, right)] * 2
    guide = [Learned({"head": 7.0}, 20.0, 40.0, worse, "it was slow")] * 2
    text = report("photos", {OURS: ours, GUIDE: guide}, [[str(n) for n in range(8)]] * 2)
    assert "|  | features | head | export | total | all cores | test accuracy | 95 % interval |" in text
    assert f"| {OURS} | 2.0 |  | 4.0 | 10.0 | 15.0 | 100.0% | 100.0% to 100.0% |" in text
    assert f"| {OURS} - {GUIDE} | +50.0 (+50.0 to +50.0) | 4 | 0 | 0.125 |" in text
    assert f"{GUIDE}: it was slow." in text


def test_seeds_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(OptionError, match=r"--seeds .*'a'"):
        parse_seeds("a")
