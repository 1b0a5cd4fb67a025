"""A training's state on the disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.train.checkpoint import Checkpoint


@pytest.fixture
def checkpoint() -> Checkpoint:
    rng = np.random.default_rng(0)
    rows: list[dict[str, float | str]] = [{"stage": "head", "epoch": 1, "loss": 0.25}]
    weights = [rng.random((2, 3), np.float32) for _ in range(12)]
    return Checkpoint(1, 4, 0.5, 3, 2, 7.25, rows, weights, [weights[0]], [np.array(7), np.float32(0.1).reshape(())])


def test_what_is_written_is_read_again_to_the_bit(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "checkpoint.npz")
    found = Checkpoint.read(tmp_path / "checkpoint.npz")
    numbers = ("stage", "epoch", "best_loss", "best_epoch", "waited", "seconds", "rows")
    assert [getattr(found, name) for name in numbers] == [getattr(checkpoint, name) for name in numbers]
    for name in ("weights", "best", "optimizer"):
        kept, given = getattr(found, name), getattr(checkpoint, name)
        assert [(array.dtype, array.shape, array.tobytes()) for array in kept] == [
            (array.dtype, array.shape, array.tobytes()) for array in given
        ]


def test_a_fresh_checkpoint_has_no_best_epoch_and_can_be_read_too(tmp_path: Path) -> None:
    Checkpoint().write(tmp_path / "checkpoint.npz")
    assert Checkpoint.read(tmp_path / "checkpoint.npz") == Checkpoint()


@pytest.mark.parametrize("damage", [b"", b"no zip", None], ids=["empty", "text", "cut"])
def test_a_damaged_file_says_what_to_do(checkpoint: Checkpoint, tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoint.write(path)
    path.write_bytes(path.read_bytes()[:-300] if damage is None else damage)
    with pytest.raises(ModelError, match=r"checkpoint\.npz cannot be read .* remove it"):
        Checkpoint.read(path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "checkpoint.npz", state=np.array([print], dtype=object))
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.read(tmp_path / "checkpoint.npz")


def test_the_best_weights_that_are_the_last_are_kept_once(checkpoint: Checkpoint, tmp_path: Path) -> None:
    apart, once = tmp_path / "apart.npz", tmp_path / "once.npz"
    replace(checkpoint, waited=0, best=list(checkpoint.weights)).write(apart)
    replace(checkpoint, waited=0, best=checkpoint.weights).write(once)
    assert once.stat().st_size < apart.stat().st_size
    found = Checkpoint.read(once)
    assert [weight.tobytes() for weight in found.best] == [weight.tobytes() for weight in checkpoint.weights]
