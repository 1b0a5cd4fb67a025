"""`clf-run`: classify images with an exported model."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cli.cluster_flags import RayFlags
from edgeclf.runtime.cli.model_flags import ModelFlags
from edgeclf.runtime.cli.positionals import split_words
from edgeclf.runtime.cli.undo import EPILOG as UNDO_EPILOG
from edgeclf.runtime.cli.undo import undo
from edgeclf.runtime.errors import ExitCode, OptionError, OutputError
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.live.options import LiveOptions
from edgeclf.runtime.run_options import RunOptions
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign
from edgeclf.runtime.terminal.console import command_app, show_version
from edgeclf.runtime.terminal.flags import takes

if TYPE_CHECKING:
    from edgeclf.runtime.results.summary import Summary

app = command_app(default="run")
app.command("undo", epilog=UNDO_EPILOG)(undo)

EPILOG = """\b
Examples:
  clf-run photos/ -o results.csv                     newest model, one row per image
  clf-run model.onnx 'night/*.jpg' day.zip           several sources; CSV in a pipe
  clf-run runs/cells a.png --json                    the model recommended in a run folder; one JSON line per image
  find . -name '*.jpg' -print0 | clf-run -s - -0     paths from another program
  clf-run inbox/ --watch -o results.jsonl            also every new image, until Ctrl-C
  clf-run photos/ --conf 90% --sort copy --sort-dir sorted/
  clf-run photos/ --explain where/ --explain-if unsure,unknown
  clf-run undo results.csv.journal                   put sorted images back
  clf-run photos/ -o rows.csv --embeddings e.npy     also what the network sees, float32 [N, D]
  clf-run photos/ --like cell.png --topk 20          the 20 images that are most like one
  clf-run --source webcam --show                     what the camera sees, in a window
  clf-run --source webcam --show --every 0.2s        the same, at most 5 answers a second
  clf-run -s rtsp://10.0.0.7/live --view :8080 --smooth 5 -o changes.jsonl
  clf-run model.onnx -s s3://bucket/photos/ --ray auto -o s3://bucket/rows/

With -o FILE, every row of images and videos is saved in FILE.journal at once. After Ctrl-C, a crash or a power cut, run the
same command again to go on. Rows of a live run are appended to FILE.

Exit codes: 0 all well, 1 some images failed (their rows say why), 2 error, 4 device not available, 130 or 143
interrupted."""


def main() -> None:
    app()


COMMON = "--source --every --watch --output --json --conf --sort --sort-dir --device --show --view"


@app.command(epilog=EPILOG, common=COMMON)
@takes(options=RunOptions, model=ModelFlags, live=LiveOptions, cluster=RayFlags)
def run(
    options: RunOptions,
    model: ModelFlags,
    live: LiveOptions,
    cluster: RayFlags,
    *,
    summary_file: Annotated[
        Path | None,
        typer.Option(
            "--summary", help="Write counts, failures and rate to FILE as JSON.", metavar="FILE", rich_help_panel="Output"
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Classify every image of the sources, one row each, failures included; or classify what a camera sees, live."""
    path, sources = split_words(model.words, model.path, options.sources)
    options, model = replace(options, sources=sources), replace(model, path=path)
    if summary_file:
        _check_summary_file(summary_file, options.output)
    # OpenCV has a limit of its own, which it reads when it is imported.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(max(options.max_pixels, MAX_PIXELS)))
    summary = _classify(options, model, live, cluster)
    summary.show()
    if summary_file:
        publish_text(summary_file, json.dumps(summary.to_json(), indent=1) + "\n")
    if summary.failure:
        raise summary.failure
    if summary.signal is not None:
        raise typer.Exit(128 + summary.signal)
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if summary.failures else ExitCode.OK)


def _check_summary_file(path: Path, output: str) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"--summary {path} is in a folder that does not exist; make {path.parent} first")
    if path.is_dir():
        raise OutputError(f"--summary {path} is a folder; name a file, such as {path / 'summary.json'}")
    if os.path.realpath(path) == os.path.realpath(output):
        raise OptionError(f"{output} cannot be both the output and the summary; name another file with --summary")
    refuse_foreign(
        path, lambda file: is_json_object(file, "schema", "images_per_second"), "name another file with --summary"
    )


def _classify(options: RunOptions, model: ModelFlags, live: LiveOptions, cluster: RayFlags) -> "Summary":
    """Run over a cluster, live, or on this machine's files, as the flags ask."""
    from edgeclf.runtime.cameras.capture import is_live
    from edgeclf.runtime.run import run as run_batch
    from edgeclf.runtime.run_live import open_feed, run_live

    card = model.described.read()
    if cluster.wanted(options, live):
        from edgeclf.runtime.run_ray import run_ray

        return run_ray(options, model.find(), model.device, card, cluster.address)
    if live.given or any(map(is_live, options.sources)):
        with open_feed(options, live) as feed:  # before the model: a camera that is missing is the first thing to report
            return run_live(options, live, feed, model.find(), device=model.device, card=card)
    return run_batch(options, model.find(), model.device, card)
