"""`clf-train`: a folder of labelled pictures becomes a Keras model that knows how its pictures are made."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.console import command_app, friendly_errors, note, parse_size, show_version, stderr_console
from edgeclf.runtime.errors import OptionError, OutputError

if TYPE_CHECKING:
    from edgeclf.train.run import Run

app = command_app()

EPILOG = """\b
Examples:
  clf-train photos/                     one sub-folder a class, or train/ val/ test/ above them
  clf-train cells/ -o runs/cells --grey --imgsz 150 --epochs 60
  clf-export "$(clf-train photos/)"     stdout is the path of the model

Writes model.keras, metrics.json, history.csv and split.csv; unreadable pictures go to bad_files.csv."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def train(
    data: Annotated[Path, typer.Argument(help="Folder with one sub-folder per class, or with train/val/test above them.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; default runs/NAME-OF-DATA.", show_default=False)
    ] = None,
    imgsz: Annotated[str, typer.Option(help="Picture size for the network: N or H,W.")] = "128",
    grey: Annotated[bool, typer.Option("--grey", help="Grey pictures, one channel.")] = False,
    resize: Annotated[str, typer.Option(help="shrink, bilinear (as Keras), nearest or area.")] = "shrink",
    fit: Annotated[str, typer.Option(help="stretch, crop or pad.")] = "stretch",
    epochs: Annotated[int, typer.Option("--epochs", "-e", help="At most; stops early.")] = 40,
    batch: Annotated[int, typer.Option("--batch", "-b", help="Pictures a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="At the start; falls to zero along a cosine.")] = 2e-3,
    patience: Annotated[int, typer.Option(help="Epochs without a lower validation loss before it stops.")] = 12,
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Random flips, shifts, zooms, contrast.")] = True,
    filters: Annotated[str, typer.Option(help="Channels of each convolution block.")] = "16,32,64,128",
    dense: Annotated[str, typer.Option(help="Units of dense layers before the head, as 64,32.", show_default="none")] = "",
    dropout: Annotated[float, typer.Option(help="Share dropped before the head.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Same seed, same split, same weights (on the CPU).")] = 0,
    embed_samples: Annotated[
        bool,
        typer.Option("--embed-samples/--no-embed-samples", help="Carry sample pictures inside the model for clf-export."),
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="The metrics as JSON on stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train a small convolutional network on a folder of labelled pictures."""
    with friendly_errors():
        folder = _run_folder(data, output)
        note("loading TensorFlow ...")
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.runtime.frames.preprocess import Preprocess
        from edgeclf.train.fit import Recipe
        from edgeclf.train.networks.architectures import ConvNet
        from edgeclf.train.run import train as run_training

        preprocess = Preprocess(parse_size(imgsz), 1 if grey else 3, resize, fit)  # type: ignore[arg-type]
        network = ConvNet(_whole_numbers("filters", filters), _whole_numbers("dense", dense), dropout)
        recipe = Recipe(network, epochs, batch, learning_rate, patience, augment, seed)
        run = run_training(data, folder, preprocess, recipe, embed_samples=embed_samples)
        _show(run)
        typer.echo(json.dumps(run.metrics) if json_output else run.model)


def _run_folder(data: Path, output: Path | None) -> Path:
    """The folder asked for, or the first free one named after the data; OutputError rather than an overwritten model."""
    if output is None:
        name = data.resolve().name
        numbered = (Path("runs") / (name if n == 1 else f"{name}-{n}") for n in range(1, 10_000))
        return next(folder for folder in numbered if not folder.exists())
    if (output / "model.keras").exists():
        raise OutputError(f"{output} already holds a model.keras; choose another folder with -o, or remove it")
    return output


def _whole_numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise OptionError(f"--{name} takes whole numbers with commas between, not {text!r}") from None


def _show(run: "Run") -> None:
    from rich.table import Table
    from rich.text import Text

    from edgeclf.runtime.escaping import escape

    test = run.metrics["test"]
    table = Table(box=None, pad_edge=False)
    for column in ("class", "pictures", "recall", "precision"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for name, counts in test["by_class"].items():
        shares = ("-" if share is None else f"{share:.1%}" for share in (counts["recall"], counts["precision"]))
        table.add_row(Text(escape(name)), f"{counts['pictures']:,}", *shares)
    stderr_console().print(table)
    low, high = test["accuracy_95_interval"]
    note(
        f"test accuracy {test['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) on {test['pictures']:,} pictures "
        f"used neither for fitting nor for stopping; always the most frequent class: {test['majority_share']:.1%}"
    )
    note(f"best epoch {run.metrics['best_epoch']} of {run.metrics['epochs']}, {run.metrics['seconds']:.0f} s in all")
