"""The state of a training, on disk."""

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
    return Checkpoint(
        stage=1,
        epoch=4,
        best_losses=[0.5, 0.25],
        best_epoch=3,
        waited=2,
        seconds=7.25,
        rows=rows,
        weights=weights,
        best=[weights[0]],
        optimizer=[np.array(7), np.float32(0.1).reshape(())],
    )


def test_a_checkpoint_is_read_back_bit_for_bit(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "checkpoint.npz")
    found = Checkpoint.read(tmp_path / "checkpoint.npz")
    numbers = ("stage", "epoch", "best_losses", "best_epoch", "waited", "seconds", "rows")
    assert [getattr(found, name) for name in numbers] == [getattr(checkpoint, name) for name in numbers]
    for name in ("weights", "best", "optimizer"):
        kept, given = getattr(found, name), getattr(checkpoint, name)
        assert [(array.dtype, array.shape, array.tobytes()) for array in kept] == [
            (array.dtype, array.shape, array.tobytes()) for array in given
        ]


def test_an_empty_checkpoint_can_be_read(tmp_path: Path) -> None:
    Checkpoint().write(tmp_path / "checkpoint.npz")
    assert Checkpoint.read(tmp_path / "checkpoint.npz") == Checkpoint()


@pytest.mark.parametrize("damage", [b"", b"no zip", None], ids=["empty", "text", "truncated"])
def test_a_damaged_file_is_refused_with_advice(checkpoint: Checkpoint, tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoint.write(path)
    path.write_bytes(path.read_bytes()[:-300] if damage is None else damage)
    with pytest.raises(ModelError, match=r"checkpoint\.npz .* remove it"):
        Checkpoint.read(path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "checkpoint.npz", state=np.array([print], dtype=object))
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.read(tmp_path / "checkpoint.npz")


def test_the_best_weights_are_not_stored_twice_if_they_are_the_last(checkpoint: Checkpoint, tmp_path: Path) -> None:
    apart, once = tmp_path / "apart.npz", tmp_path / "once.npz"
    replace(checkpoint, waited=0, best=list(checkpoint.weights)).write(apart)
    replace(checkpoint, waited=0, best=checkpoint.weights).write(once)
    assert once.stat().st_size < apart.stat().st_size
    found = Checkpoint.read(once)
    assert [weight.tobytes() for weight in found.best] == [weight.tobytes() for weight in checkpoint.weights]
