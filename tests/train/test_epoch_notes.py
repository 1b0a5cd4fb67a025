"""The lines of a training that stay in view: one for each epoch, and for each stage what it costs and what is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.train.checkpoint import Checkpoint
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.epoch_notes import note_cost, note_epoch, note_result, note_stage
from edgeclf.train.fit import fit
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.recipes import Recipe
from edgeclf.train.stages import Stage
from tests.support.terminal import Screen, shown_in_terminal

HEAD, TUNING = Stage("head", 60, 1e-3), Stage("fine-tune", 12, 1e-4)


def row(stage: str, val_accuracy: float) -> dict[str, float | str]:
    return {"stage": stage, "loss": 0.0187, "accuracy": 0.9934, "val_loss": 12.0239, "val_accuracy": val_accuracy}


def after(best_epoch: int) -> Checkpoint:
    return Checkpoint(epoch=1, best_epoch=best_epoch, rows=[row("head", 0.98), row("fine-tune", 1.0)])


def test_an_epoch_is_one_line_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    note_epoch(HEAD, after(1), 12.3)
    said = capsys.readouterr().err
    assert said == "epoch 1/60: loss 0.019, accuracy 99.3%; validation 12.024, 100.0%; 12 s\n"
    assert len(said) <= 80


def test_a_stage_says_what_ctrl_c_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    note_stage(HEAD, Checkpoint())
    note_stage(TUNING, Checkpoint(best_epoch=9))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "head: at most 60 epochs; Ctrl-C keeps the best so far once an epoch is complete"
    assert second == "fine-tuning: at most 12 epochs; Ctrl-C keeps the best so far"


def test_a_stage_says_what_it_reached_and_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    note_result(HEAD, after(1), 40.2)
    note_result(TUNING, after(2), 250)
    note_result(TUNING, after(1), 250)
    assert capsys.readouterr().err.splitlines() == [
        "head: 98.0% of the validation images in 40 s, kept",
        "fine-tuning: 100.0% of the validation images in 4 min, kept",
        "fine-tuning: no better in 4 min; the head is kept, with 98.0% of the validation images",
    ]


def test_a_long_stage_says_what_it_costs_and_a_short_one_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    note_cost(TUNING, 10)
    note_cost(TUNING, 240)
    assert capsys.readouterr().err == "fine-tuning: about 4 min, or less if it stops early\n"


@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_terminal_each_epoch_stays_in_view_above_a_bar_that_fits(
    columns: int, make_arrays: Callable[..., Arrays], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(ConvNet((4,)), epochs=3, batch=8, patience=0)
    images = make_arrays(24, 2)
    sent = shown_in_terminal(lambda: fit(recipe, 2, images, images, tmp_path), columns, monkeypatch)

    screen = Screen(sent, columns)
    announced, *epochs, reached, end = screen.lines
    assert (announced.split(":")[0], reached.split(":")[0], end) == ("training", "training", "")
    assert [line.split(":")[0] for line in epochs] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    bars = [line for line in screen.seen if "━" in line]
    assert {line.split("  ")[0] for line in bars} >= {"epoch 1/3", "epoch 2/3", "epoch 3/3"}
    assert max(map(len, bars)) < columns
    assert all(f"{done}/24" in bar and "/s" in bar and " left" in bar for bar in bars[-1:] for done in (24,))
