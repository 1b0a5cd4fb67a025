"""`edgeclf.train(...)`: what `clf-train` does, from Python."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.notebook import native_output_hidden
from edgeclf.train.options import AugmentationOptions, NetworkOptions, SplitOptions, TrainingOptions, TrainOptions
from edgeclf.train.start import start_training

if TYPE_CHECKING:
    from edgeclf.train.run import Run


def train(  # noqa: PLR0913 (an editor shows each option with its type)
    data: str | os.PathLike[str] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    model: str | None = None,
    imgsz: int | str | None = None,
    grey: bool = False,
    epochs: int | None = None,
    time: str | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    fine_tune: int | None = None,
    class_weight: Literal["auto", "none"] = "none",
    augment: bool = True,
    val: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    split: str | None = None,
    split_by: str = "",
    seed: int = 0,
) -> "Run":
    """Train a classifier on a folder of labelled images: a pretrained network by default, in minutes on a laptop.

    data: a folder with one sub-folder per class, or with `train/`, `val/` and `test/` above them; or a `.zip`, `.tar` or
    `.csv` file. output: the run folder, by default the first free one of `runs/NAME`, `runs/NAME-2` and so on.
    resume: the folder of an unfinished run to go on with, instead of data. The other options are those of `clf-train`, and
    docs/train.md explains them; None means: as the recipe says. For options that are not here, make a `TrainOptions` and
    call `edgeclf.train.start.start_training`.

    Ctrl-C, or the stop button of a notebook, ends the training with the best weights so far. What speaks against the model
    is in `Run.warnings`. Raises EdgeclfError.
    """
    training = TrainingOptions(
        class_weight,
        epochs,
        batch,
        learning_rate=learning_rate,
        fine_tune=fine_tune,
        time=time,
        seed=seed,
    )
    options = TrainOptions(
        data=_path(data),
        splits=SplitOptions(split, split_by, _path(val), _path(test)),
        network=NetworkOptions(model, imgsz=None if imgsz is None else str(imgsz), grey=grey),
        training=training,
        augmentation=AugmentationOptions(augment),
        output=_path(output),
    )
    return _start(options, _path(resume))


def _start(options: TrainOptions, resume: Path | None) -> "Run":
    with native_output_hidden():
        run = start_training(options, resume)
    if run.problem:
        note(f"warning: {run.problem}; {run.model} has the best weights from before")
    return run


def _path(name: str | os.PathLike[str] | None) -> Path | None:
    return None if name is None else Path(name)
