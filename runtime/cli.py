"""`clf-run`: classify pictures with an exported model."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.console import Progress, command_app, friendly_errors, note, parse_size, show_version
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ExitCode, ModelError, OptionError
from edgeclf.runtime.publishing import publish_text

if TYPE_CHECKING:
    from edgeclf.runtime.frames.sources import Source
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.classifier import Classifier
    from edgeclf.runtime.results.sinks import Sink
    from edgeclf.runtime.results.summary import Summary

app = command_app()

EPILOG = """\b
Examples:
  clf-run --source photos/ -o results.csv           newest model, one row a picture
  clf-run model.onnx --source 'night/*.jpg'         CSV on stdout
  clf-run model.int8.tflite --source a.png --json   every score, as a JSON line

Exit codes: 0 all well, 1 some pictures failed (their rows say why), 2 error, 4 device not available."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def run(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A .onnx or .tflite file. Without it: $CLF_MODEL, then ./model*.onnx, then the newest folder in runs/.",
            show_default=False,
        ),
    ] = None,
    *,
    source: Annotated[
        str, typer.Option("--source", "-s", help="A folder (searched in depth), a picture, or a quoted pattern.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="FILE.csv or FILE.jsonl; - is stdout.", metavar="FILE")
    ] = "-",
    json_lines: Annotated[bool, typer.Option("--json", help="JSON lines on stdout in place of CSV.")] = False,
    summary_file: Annotated[
        Path | None, typer.Option("--summary", help="Write counts, failures and rate to FILE as JSON.", metavar="FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; default one a usable core.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option("--batch", "-b", min=1, help="Pictures in one run of the model.")] = 1,
    classes: Annotated[
        Path | None, typer.Option(help="For a model without a card: its classes, one a line or as JSON.")
    ] = None,
    imgsz: Annotated[str | None, typer.Option(help="With --classes: picture size, N or H,W; default 224.")] = None,
    grey: Annotated[bool, typer.Option("--grey", help="With --classes: grey pictures.")] = False,
    resize: Annotated[str | None, typer.Option(help="With --classes: shrink (default), bilinear, nearest or area.")] = None,
    fit: Annotated[str | None, typer.Option(help="With --classes: stretch (default), crop or pad.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Classify every picture of a folder, a pattern or a file: one row each, whatever happens to it."""
    with friendly_errors():
        from edgeclf.runtime.frames.sources import open_source
        from edgeclf.runtime.model.classifier import Classifier
        from edgeclf.runtime.results.sinks import open_sink

        if json_lines and output != "-":
            raise OptionError(f"--json is for stdout; name a .jsonl file in place of {output}")
        card = _card_from_flags(classes, imgsz, grey, resize, fit)
        frames = open_source(source)
        classifier = Classifier.open(model or find_model(), device=device, threads=1, card=card)
        with open_sink(output, json_lines=json_lines) as sink:
            summary = classify_into(sink, frames, classifier, workers or usable_cores(), batch)
        summary.show()
        if summary_file:
            publish_text(summary_file, json.dumps(summary.to_json(), indent=1) + "\n")
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if summary.failures else ExitCode.OK)


def classify_into(sink: "Sink", frames: "Source", classifier: "Classifier", workers: int, batch: int) -> "Summary":
    """Classify all frames, each outcome to the sink, with progress on stderr."""
    from edgeclf.runtime.pipeline import classify
    from edgeclf.runtime.results.summary import Summary

    backend = classifier.backend
    summary = Summary(f"{backend.engine} on {backend.device}, {workers} worker{'s' if workers > 1 else ''}")
    with Progress("classifying") as progress:
        progress.count_in_background(frames.count)
        try:
            for outcome in classify(frames, classifier, workers=workers, batch=batch):
                sink.write(outcome)
                summary.add(outcome)
                progress.advance()
        except KeyboardInterrupt:
            note(f"interrupted after {sink.rows:,} pictures; the rows so far are in {sink.place}")
            raise
    summary.finish(progress.elapsed_s, frames.skipped)
    return summary


def find_model() -> Path:
    """The model that is meant when none is named. Says on stderr which it took; raises ModelError when there is none."""
    named = os.environ.get("CLF_MODEL")
    here = sorted(Path().glob("model*.onnx"))
    runs = sorted(filter(Path.is_file, Path("runs").glob("*/model*.onnx")), key=lambda path: path.stat().st_mtime)
    if not (named or here or runs):
        raise ModelError(
            "no model named, and none in $CLF_MODEL, ./model*.onnx or runs/*/; try: clf-run model.onnx -s photos/"
        )
    found = Path(named) if named else here[0] if here else runs[-1]
    note(f"model: {found}")
    return found


def _card_from_flags(
    classes: Path | None, imgsz: str | None, grey: bool, resize: str | None, fit: str | None
) -> "ModelCard | None":
    """The card that the flags describe, or None without --classes. Raises OptionError."""
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.labels import read_classes

    if classes is None:
        if imgsz or grey or resize or fit:
            raise OptionError("--imgsz, --grey, --resize and --fit describe a model without a card; give --classes as well")
        return None
    size_hw = parse_size(imgsz or "224")
    preprocess = Preprocess(size_hw, 1 if grey else 3, resize or "shrink", fit or "stretch")  # type: ignore[arg-type]
    return ModelCard(read_classes(classes), preprocess)
