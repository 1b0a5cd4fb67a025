"""`clf-train`: trains a Keras model on a folder of labelled images and keeps the preprocessing inside the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode, OptionError, OutputError
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign
from edgeclf.runtime.terminal.console import command_app, fail, note, print_data, show_version, warn
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next
from edgeclf.train.cli.evaluate import EPILOG as EVALUATE_EPILOG
from edgeclf.train.cli.evaluate import evaluate
from edgeclf.train.data.run_files import OPTIONS_NAME, RUN_FILES
from edgeclf.train.options import AUGMENTATION, OUTPUT, TrainOptions

if TYPE_CHECKING:
    from edgeclf.train.run import Run

app = command_app("train")
app.command("evaluate", epilog=EVALUATE_EPILOG)(evaluate)

EPILOG = """\b
Examples:
  clf-train photos/                        one sub-folder per class, or train/, val/, test/ above
  clf-train photos.zip --time 20m          an archive of such a folder; no new epoch after 20 min
  clf-train labels.csv --split-by folder   columns path,label; images of one folder stay in one split
  clf-train cells/ --model cnn --grey      a small network, trained from scratch
  clf-train photos/ --recipe boolean       the network and the training of a tutorial
  clf-train --resume runs/photos           continue after a kill, a crash or a power cut
  clf-train evaluate model.onnx photos/    accuracy of any model file on any labelled folder
  clf-export "$(clf-train photos/)"        stdout is the path of the model

Writes model.keras, report.html, metrics.json, history.csv, split.csv and the plots as PNG files. Unreadable
images are listed in bad_files.csv."""


def main() -> None:
    app()


def _use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Let the values in the file be the defaults of this command."""
    if path is not None:
        from edgeclf.train.config_file import read_config

        context.default_map = read_config(path)
    return path


@dataclass(frozen=True)
class RunFlags:
    """Flags that are not part of the description of a training."""

    preview_augment: Annotated[
        Path | None,
        typer.Option(
            help="Write a sheet of augmented images to DIR and do not train.", metavar="DIR", rich_help_panel=AUGMENTATION
        ),
    ] = None
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Resume the unfinished run in DIR, with the options that it was started with.",
            metavar="DIR",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the metrics as JSON on stdout.", rich_help_panel=OUTPUT)
    ] = False
    config: Annotated[
        Path | None,
        typer.Option(
            help="Take options from a TOML file, or from the options.json of a run; others on the command line go first.",
            metavar="FILE",
            is_eager=True,
            callback=_use_config,
            rich_help_panel=OUTPUT,
        ),
    ] = None
    show_config: Annotated[
        bool,
        typer.Option("--show-config", help="Print all options as TOML, and do not train.", rich_help_panel=OUTPUT),
    ] = False


COMMON = """--val --split-by --model --recipe --imgsz --grey --epochs --time --class-weight --augment --output --resume"""


@app.command(epilog=EPILOG, common=COMMON)
@takes(options=TrainOptions, flags=RunFlags)
def train(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
    options: TrainOptions,
    flags: RunFlags,
) -> None:
    """Train a classifier on a folder of labelled images: a pretrained network by default, in minutes on a laptop."""
    resume = flags.resume
    if (options.data is None) == (resume is None):
        raise OptionError("name either the images to train on or the run to resume: clf-train DATA, or --resume DIR")
    if flags.show_config:
        _show_config(options)
        return
    folder = resume or (None if flags.preview_augment else _run_folder(options))
    from edgeclf.train.config import configure
    from edgeclf.train.preparation import Extras, prepare
    from edgeclf.train.quiet import check_installed, load_keras
    from edgeclf.train.resolved import made_with, resolve

    options = TrainOptions.read(resume) if resume else options
    config = configure(options)
    if folder is None:
        from edgeclf.train.preview import preview

        print_data(preview(config, flags.preview_augment or Path()))
        return
    check_installed()
    splits, files = options.splits, {OPTIONS_NAME: resolve(options, config).to_json(made_with())}
    extras = Extras(options.embed_samples, splits.allow_leakage, splits.drop_leaks, files)
    dataset = prepare(config, folder, extras, resume=resume is not None)
    load_keras()
    from edgeclf.train.folds import cross_validate
    from edgeclf.train.run import train as run_training

    train_all = cross_validate if dataset.folds else run_training
    run = train_all(config, folder, extras, resume=resume is not None, dataset=dataset)
    _finish(run, json_output=flags.json_output)


def _finish(run: "Run", *, json_output: bool) -> None:
    """Show what was reached, and end with the run's exit code."""
    _show(run)
    print_data(json.dumps(run.metrics) if json_output else run.model)
    if run.problem:
        fail(f"{run.problem}; {run.model} has the best weights from before", ExitCode.FAILED)
    show_next("clf-export", run.model)
    if run.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _show_config(options: TrainOptions) -> None:
    from edgeclf.train.config import configure
    from edgeclf.train.config_file import to_toml
    from edgeclf.train.resolved import resolve

    print_data(to_toml(resolve(options, configure(options))).rstrip())


def _run_folder(options: TrainOptions) -> Path:
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


def _show(run: "Run") -> None:
    from edgeclf.train.results.out_of_fold import ORIGIN
    from edgeclf.train.results.table import headline, show

    metrics = run.metrics
    show(metrics["test"])
    origin = "used neither for training nor for early stopping"
    if metrics.get("folds", {}).get("are_the_test"):
        origin = ORIGIN
    note(headline(metrics["test"], "test accuracy", origin))
    note(f"best epoch: {metrics['best_epoch']} of {metrics['epochs']}; total time: {metrics['seconds']:.0f} s")
    note(f"report: {run.model.with_name('report.html')}")
    for sentence in run.warnings:
        warn(sentence)
