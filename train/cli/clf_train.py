"""`clf-train`: trains a Keras model on a folder of labelled images and keeps the preprocessing inside the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode
from edgeclf.runtime.terminal.console import command_app, fail, note, print_data, show_version, warn
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next
from edgeclf.train.cli.evaluate import EPILOG as EVALUATE_EPILOG
from edgeclf.train.cli.evaluate import evaluate
from edgeclf.train.options import AUGMENTATION, OUTPUT, TrainOptions
from edgeclf.train.start import require_data, start_training

if TYPE_CHECKING:
    from edgeclf.train.run import Run

app = command_app("train")
app.command("evaluate", epilog=EVALUATE_EPILOG)(evaluate)

EPILOG = """\b
Examples:
  clf-train photos/                        one sub-folder per class, or train/, val/, test/ above
  clf-train photos.zip --time 20m          an archive of such a folder; at most 20 minutes
  clf-train labels.csv --split-by folder   columns path,label; images of one folder stay in one split
  clf-train cells/ --model cnn --grey      a small network, trained from scratch
  clf-train photos/ --recipe boolean       the network and the training of a tutorial
  clf-train photos/ --corrections corrections.csv    with what people corrected in clf-review
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
    require_data(options, flags.resume)
    if flags.show_config:
        _show_config(options)
    elif flags.preview_augment and not flags.resume:
        from edgeclf.train.config import configure
        from edgeclf.train.preview import preview

        print_data(preview(configure(options), flags.preview_augment))
    else:
        _finish(start_training(options, flags.resume), json_output=flags.json_output)


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
