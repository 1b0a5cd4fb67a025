"""`clf-run`: classify images with an exported model."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cli.cluster_flags import RayFlags
from edgeclf.runtime.cli.flags import SectionedCommand, takes
from edgeclf.runtime.cli.live_flags import LiveFlags
from edgeclf.runtime.cli.undo import undo
from edgeclf.runtime.errors import ExitCode, ModelError, OptionError, OutputError
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.terminal.console import command_app, note, parse_duration, parse_size, show_version

if TYPE_CHECKING:
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.results.summary import Summary

app = command_app(default="run")
app.command("undo")(undo)

EPILOG = """\b
Examples:
  clf-run --source photos/ -o results.csv            newest model, one row an image
  clf-run model.onnx -s 'night/*.jpg' -s day.zip     several sources, CSV on stdout
  clf-run model.int8.tflite -s a.png --json          one JSON line an image
  find . -name '*.jpg' -print0 | clf-run -s - -0     paths from another program
  clf-run -s inbox/ --watch -o results.jsonl         and every image that arrives, until Ctrl-C
  clf-run -s photos/ --conf 0.9 --sort copy --sort-dir sorted/
  clf-run undo results.csv.journal                   put sorted images back
  clf-run --source webcam --show                     what the camera sees, in a window
  clf-run -s rtsp://10.0.0.7/live --view :8080 --smooth 5 -o changes.jsonl
  clf-run model.onnx -s s3://bucket/photos/ --engine ray --ray-address auto -o s3://bucket/rows/

With -o FILE every row of images and videos is safe in FILE.journal at once: after Ctrl-C, a crash or a power cut, the same
command goes on. The rows of a live run are added to FILE.
Exit codes: 0 all well, 1 some images failed (their rows say why), 2 error, 4 device not available, 130 or 143
interrupted."""


def main() -> None:
    app()


@app.command(cls=SectionedCommand, epilog=EPILOG)
@takes(live=LiveFlags, cluster=RayFlags)
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
        list[str],
        typer.Option(
            "--source",
            "-s",
            help="A folder (searched in depth), an image, a video, a quoted pattern, a .zip or .tar, @list.txt, "
            "list.csv:column, - for paths on stdin, or a URI such as s3://bucket/photos; or webcam, 1, /dev/video2, 0,1 for "
            "two, rtsp:// or http://, screen. May be given several times.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="FILE.csv, .jsonl, .parquet or .sqlite; - is stdout. Live: .csv or .jsonl.",
            metavar="FILE",
        ),
    ] = "-",
    json_lines: Annotated[bool, typer.Option("--json", help="JSON lines on stdout in place of CSV.")] = False,
    summary_file: Annotated[
        Path | None, typer.Option("--summary", help="Write counts, failures and rate to FILE as JSON.", metavar="FILE")
    ] = None,
    topk: Annotated[int, typer.Option(min=1, help="Classes in the column `top`.")] = 1,
    all_scores: Annotated[bool, typer.Option("--all-scores", help="All classes in the column `top`.")] = False,
    conf: Annotated[
        float, typer.Option(min=0, max=1, help="With a lower confidence the answer is `unsure`.", metavar="P")
    ] = 0.0,
    sort: Annotated[
        str | None,
        typer.Option(help="copy, move or link images into a folder for each class; plan only says where.", metavar="HOW"),
    ] = None,
    sort_dir: Annotated[Path | None, typer.Option(help="The folder for --sort.", metavar="DIR")] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="Go on although the sources have moved / keep no journal. Default: go on if nothing differs.",
            show_default=False,
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the journal and begin anew.")] = False,
    journal: Annotated[
        Path | None, typer.Option(help="Where the journal is.", show_default="FILE.journal", metavar="FILE")
    ] = None,
    max_failures: Annotated[
        str | None,
        typer.Option(help="Stop when more images fail than N, or than N% of a hundred and more.", metavar="N|N%"),
    ] = None,
    verify: Annotated[
        str, typer.Option(help="strict also finds damage inside images that decode.", metavar="quick|strict")
    ] = "quick",
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Refuse larger images before they are decoded.", metavar="N")
    ] = 100_000_000,
    follow_links: Annotated[bool, typer.Option("--follow-links", help="Enter linked folders, too.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with images that arrive in the folder, until interrupted.")
    ] = False,
    nul: Annotated[
        bool, typer.Option("--null", "-0", help="Paths on stdin end in NUL, as find -print0 writes them.")
    ] = False,
    vid_stride: Annotated[
        int, typer.Option(min=1, help="Of videos and numbered images, every Nth frame only.", metavar="N")
    ] = 1,
    every: Annotated[
        str | None, typer.Option(help="Of videos and cameras, one frame every so often, such as 2s or 0.5s.", metavar="TIME")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; default one a usable core.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", "-b", min=1, help="Images in one run of the model; default measured.", show_default=False),
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="For a model without a card: its classes, one a line or as JSON.")
    ] = None,
    imgsz: Annotated[str | None, typer.Option(help="With --classes: image size, N or H,W; default 224.")] = None,
    grey: Annotated[bool, typer.Option("--grey", help="With --classes: grey images.")] = False,
    resize: Annotated[str | None, typer.Option(help="With --classes: shrink (default), bilinear, nearest or area.")] = None,
    fit: Annotated[str | None, typer.Option(help="With --classes: stretch (default), crop or pad.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
    live: LiveFlags,
    cluster: RayFlags,
) -> None:
    """Classify every image of the sources, one row each, whatever happens to it; or what a camera sees, as it happens."""
    if verify not in ("quick", "strict"):
        raise OptionError(f"--verify takes quick or strict, not {verify!r}")
    if summary_file and not summary_file.parent.is_dir():
        raise OutputError(f"--summary {summary_file} lies in no folder that is there; make {summary_file.parent} first")
    if summary_file and os.path.realpath(summary_file) == os.path.realpath(output):
        raise OptionError(f"{output} cannot be both the output and the summary; name another file with --summary")
    # OpenCV has a limit of its own, which it reads when it is imported.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(max(max_pixels, 100_000_000)))
    from edgeclf.runtime.cameras.capture import is_live
    from edgeclf.runtime.run import MaxFailures, RunOptions
    from edgeclf.runtime.run import run as run_batch
    from edgeclf.runtime.run_live import open_feed, run_live
    from edgeclf.runtime.sources.sampling import Sampling

    options = RunOptions(
        sources=tuple(source),
        output=output,
        json_lines=json_lines,
        journal=journal,
        resume=resume,
        restart=restart,
        retry_failed=retry_failed,
        topk=topk,
        all_scores=all_scores,
        threshold=conf,
        sort=sort,  # type: ignore[arg-type]
        sort_dir=sort_dir,
        strict=verify == "strict",
        max_pixels=max_pixels,
        max_failures=MaxFailures.parse(max_failures) if max_failures else MaxFailures(),
        follow_links=follow_links,
        watch=watch,
        nul=nul,
        sampling=Sampling(vid_stride, parse_duration("--every", every) if every is not None else None),
        workers=workers,
        batch=batch,
    )
    card = _card_from_flags(classes, imgsz, grey, resize, fit)
    if cluster.wanted(options, live):
        from edgeclf.runtime.run_ray import run_ray

        summary: Summary = run_ray(options, model or find_model(), device, card, cluster.address)
    elif live.given or any(map(is_live, source)):
        live_options = live.options(options)
        with open_feed(live_options) as feed:  # first of all: without a camera, nobody wants to know of a model
            summary = run_live(live_options, feed, model or find_model(), device, card)
    else:
        summary = run_batch(options, model or find_model(), device, card)
    summary.show()
    if summary_file:
        publish_text(summary_file, json.dumps(summary.to_json(), indent=1) + "\n")
    if summary.failure:
        raise summary.failure
    if summary.signal is not None:
        raise typer.Exit(128 + summary.signal)
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if summary.failures else ExitCode.OK)


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
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.labels import read_classes

    if classes is None:
        if imgsz or grey or resize or fit:
            raise OptionError("--imgsz, --grey, --resize and --fit describe a model without a card; give --classes as well")
        return None
    size_hw = parse_size(imgsz or "224")
    preprocess = Preprocess(size_hw, 1 if grey else 3, resize or "shrink", fit or "stretch")  # type: ignore[arg-type]
    return ModelCard(read_classes(classes), preprocess)
