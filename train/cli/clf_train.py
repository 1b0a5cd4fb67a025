"""`clf-train`: a folder of labelled images becomes a Keras model that knows how its images are made."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode, OptionError, OutputError
from edgeclf.runtime.terminal.console import command_app, fail, friendly_errors, note, show_version
from edgeclf.train.cli.evaluate import evaluate

if TYPE_CHECKING:
    from edgeclf.train.run import Run

app = command_app("train")
app.command("evaluate")(evaluate)

EPILOG = """\b
Examples:
  clf-train photos/                        one sub-folder a class, or train/ val/ test/ above them
  clf-train photos.zip --time 20m          an archive of such a folder; no epoch is begun after 20 minutes
  clf-train labels.csv --split-by folder   columns path,label; images of one folder stay together
  clf-train cells/ --model cnn --grey      a small network from nothing
  clf-train photos/ --recipe boolean       a tutorial's network, exactly
  clf-train --resume runs/photos           go on after a kill, a crash, a power cut
  clf-train evaluate model.onnx photos/    accuracy of any artefact on any labelled folder
  clf-export "$(clf-train photos/)"        stdout is the path of the model

Writes model.keras, report.html, metrics.json, history.csv and split.csv, and the plots as PNG; unreadable
images go to bad_files.csv."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def train(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder with one sub-folder per class, or with train/val/test above; .zip, .tar or .csv."),
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; default runs/NAME-OF-DATA.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the unfinished run in this folder, with its own options.", metavar="DIR")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="efficientnet-lite0, -lite1, -lite2, cnn, or a keras.applications name.",
            show_default="efficientnet-lite0",
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="boolean, intro, dogs-vs-cats, homer-bart or elephants-cars: a tutorial's training.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="For a pretrained network: imagenet, none, or a file.", show_default="imagenet")
    ] = None,
    imgsz: Annotated[
        str | None, typer.Option(help="Image size for the network: N or WIDTHxHEIGHT.", show_default="the network's own")
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Grey images, one channel.")] = False,
    resize: Annotated[str, typer.Option(help="shrink, bilinear (as Keras), nearest or area.")] = "shrink",
    fit: Annotated[str, typer.Option(help="stretch, crop or pad.")] = "stretch",
    filters: Annotated[str | None, typer.Option(help="For --model cnn: channels of each block, as 16,32,64,128.")] = None,
    dense: Annotated[str | None, typer.Option(help="For --model cnn: units of dense layers, as 64,32.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share dropped before the head.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Shares of train, val, test where they are not given.", show_default="0.8,0.1,0.1")
    ] = None,
    split_by: Annotated[
        str, typer.Option(help="Keep together: folder, or a regular expression on the name.", show_default="each image")
    ] = "",
    val: Annotated[Path | None, typer.Option(help="Labelled images to stop on, in place of a share.")] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled images to test on, in place of a share.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images, for a quick trial.")] = None,
    allow_leakage: Annotated[
        bool, typer.Option("--allow-leakage", help="Train although test images are among the others.")
    ] = False,
    class_weight: Annotated[str, typer.Option(help="auto: rare classes count as much as frequent ones.")] = "none",
    epochs: Annotated[int | None, typer.Option("--epochs", "-e", help="At most; stops early.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", "-b", help="Images a step.", show_default="32")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, rmsprop or sgd.", show_default="adam")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", "--lr", "--lr0", help="At the start of the training.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Of the learning rate: cosine, to zero, or constant.", show_default="cosine")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a lower validation loss before it stops; 0: never.")
    ] = None,
    fine_tune: Annotated[
        int | None, typer.Option(help="Blocks of a pretrained network to train after the head; 0: none.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Stop training after this long, as 30m or 1h30m.")] = None,
    mixed_precision: Annotated[bool, typer.Option("--mixed-precision", "--amp", help="Half precision, on a GPU.")] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same split, same weights (on the CPU).")] = 0,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="The recipe's own random changes; those below go on top.")
    ] = True,
    rotation: Annotated[float | None, typer.Option("--rotation", "--degrees", help="Degrees either way.")] = None,
    width_shift: Annotated[float | None, typer.Option(help="Share of the width.")] = None,
    height_shift: Annotated[float | None, typer.Option(help="Share of the height.")] = None,
    translate: Annotated[float | None, typer.Option(help="Both shifts at once.")] = None,
    shear: Annotated[float | None, typer.Option(help="Share of the side.")] = None,
    zoom: Annotated[float | None, typer.Option("--zoom", "--scale", help="Share in or out.")] = None,
    horizontal_flip: Annotated[
        bool | None, typer.Option("--horizontal-flip/--no-horizontal-flip", "--fliplr/--no-fliplr", help="Mirrored or not.")
    ] = None,
    vertical_flip: Annotated[
        bool | None, typer.Option("--vertical-flip/--no-vertical-flip", "--flipud/--no-flipud", help="Upside down or not.")
    ] = None,
    brightness: Annotated[float | None, typer.Option(help="Share of the range either way.")] = None,
    contrast: Annotated[float | None, typer.Option(help="Share either way.")] = None,
    fill_mode: Annotated[
        str | None, typer.Option(help="Beyond the edge: reflect, constant (black), wrap, nearest.", show_default="reflect")
    ] = None,
    preview_augment: Annotated[
        Path | None, typer.Option(help="Write a sheet of augmented images there, and do not train.", metavar="DIR")
    ] = None,
    embed_samples: Annotated[
        bool,
        typer.Option("--embed-samples/--no-embed-samples", help="Carry sample images inside the model for clf-export."),
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="The metrics as JSON on stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train a classifier on a folder of labelled images: a pretrained network by default, in minutes on a laptop."""
    with friendly_errors():
        if (data is None) == (resume is None):
            raise OptionError("name the images to train on, or the run to go on with: clf-train DATA, or --resume DIR")
        folder = resume or (None if preview_augment else _run_folder(data or Path(), output))
        note("loading TensorFlow ...")
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.train.options import OPTIONS_NAME, Options
        from edgeclf.train.preview import preview
        from edgeclf.train.run import Extras
        from edgeclf.train.run import train as run_training

        chosen = {field.name: ctx.params[field.name] for field in fields(Options)}
        options = Options.read(resume) if resume else Options(**chosen)
        preprocess, training, splitting = options.preprocess(), options.training(), options.splitting()
        if folder is None:
            typer.echo(preview(options.data, preview_augment or Path(), preprocess, training, splitting))
            return
        extras = Extras(options.embed_samples, options.allow_leakage, {OPTIONS_NAME: options.to_json()})
        run = run_training(options.data, folder, preprocess, training, splitting, extras, resume=resume is not None)
        _show(run)
        typer.echo(json.dumps(run.metrics) if json_output else run.model)
        if run.problem:
            fail(f"{run.problem}; {run.model} has the best weights from before", ExitCode.FAILED)
        if run.interrupted:
            raise typer.Exit(ExitCode.INTERRUPTED)


def _run_folder(data: Path, output: Path | None) -> Path:
    """The folder asked for, or the first free one named after the data; OutputError rather than an overwritten model."""
    if output is None:
        name = data.resolve().name if data.is_dir() else data.name.partition(".")[0]
        numbered = (Path("runs") / (name if n == 1 else f"{name}-{n}") for n in range(1, 10_000))
        return next(folder for folder in numbered if not folder.exists())
    if (output / "model.keras").exists():
        raise OutputError(f"{output} already holds a model.keras; choose another folder with -o, or remove it")
    if (output / "checkpoint.npz").exists():
        raise OutputError(f"{output} holds an unfinished training; go on with --resume {output}, or choose another with -o")
    return output


def _show(run: "Run") -> None:
    from edgeclf.train.results.table import headline, show

    show(run.metrics["test"])
    note(headline(run.metrics["test"], "test accuracy", "used neither for fitting nor for stopping"))
    note(f"best epoch {run.metrics['best_epoch']} of {run.metrics['epochs']}, {run.metrics['seconds']:.0f} s in all")
    note(f"everything about it: {run.model.with_name('report.html')}")
