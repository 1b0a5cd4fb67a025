"""Starts a training from its options, for the command and for Python. What can be wrong is found before Keras is loaded."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign
from edgeclf.train.data.run_files import OPTIONS_NAME, RUN_FILES
from edgeclf.train.options import TrainOptions

if TYPE_CHECKING:
    from edgeclf.train.run import Run


def start_training(options: TrainOptions, resume: Path | None = None) -> "Run":
    """Train as the options say, or go on with the run in the folder `resume`. Raises as `edgeclf.train.run.train` does."""
    began = time.monotonic()
    require_data(options, resume)
    folder = resume or output_folder(options)
    from edgeclf.train.config import configure
    from edgeclf.train.preparation import Extras, prepare
    from edgeclf.train.quiet import check_installed, load_keras
    from edgeclf.train.resolved import made_with, resolve

    options = TrainOptions.read(resume) if resume else options
    config = configure(options)
    check_installed()
    splits, files = options.splits, {OPTIONS_NAME: resolve(options, config).to_json(made_with())}
    extras = Extras(options.embed_samples, splits.allow_leakage, splits.drop_leaks, files)
    dataset = prepare(config, folder, extras, resume=resume is not None)
    load_keras()
    from edgeclf.train.folds import cross_validate
    from edgeclf.train.run import train

    train_all = cross_validate if dataset.folds else train
    return train_all(config, folder, extras, resume=resume is not None, dataset=dataset, began=began)


def require_data(options: TrainOptions, resume: Path | None) -> None:
    """Raise OptionError unless there are either images or a run to resume."""
    if (options.data is None) == (resume is None):
        raise OptionError("name either the images to train on or the run to resume: clf-train DATA, or --resume DIR")


def output_folder(options: TrainOptions) -> Path:
    """The output folder, by default the first free one named after the run, or else after the data.

    Raises OptionError for a name that is no folder's, and OutputError if the folder holds a model, an unfinished run,
    or a file of another origin that a run would replace: none of these is ever overwritten.
    """
    output, data = options.output, options.data or Path()
    if options.name is not None and output is not None:
        raise OptionError(f"--name {options.name} stands for -o runs/{options.name}; leave out one of them")
    if options.name is not None and (options.name in ("", "..") or Path(options.name).name != options.name):
        raise OptionError(f"--name takes the name of a folder in runs/, not {options.name!r}; name another place with -o")
    if output is None:
        name = options.name or (data.resolve().name if data.is_dir() else data.name.partition(".")[0])
        numbered = (Path("runs") / (name if n == 1 else f"{name}-{n}") for n in range(1, 10_000))
        return next(folder for folder in numbered if not folder.exists())
    if (output / "model.keras").exists():
        raise OutputError(f"{output} already holds a model.keras; choose another folder with -o, or remove it")
    is_of_folds = (output / "fold-1").exists() and (output / "split.csv").exists()  # the last file before the trainings
    if is_of_folds or (output / "checkpoint.npz").exists():
        raise OutputError(
            f"{output} holds an unfinished training; resume it with --resume {output}, or choose another folder with -o"
        )
    is_own = is_json_object(output / OPTIONS_NAME, "data", "recipe")
    for name in RUN_FILES:
        refuse_foreign(output / name, lambda _: is_own, "choose another folder with -o")
    return output
