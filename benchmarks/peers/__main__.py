"""A candidate's process: it prepares, and then for each line on stdin runs once and answers with its rate."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.console import command_app, friendly_errors

app = command_app()


@app.command()
def serve(
    module: Annotated[str, typer.Argument(help="One of this package.")],
    folder: Annotated[Path, typer.Argument(help="Its model.onnx, model.keras and photographs/.")],
    *,
    core: Annotated[int | None, typer.Option(help="The only core that this process may use.")] = None,
) -> None:
    """Run one candidate again and again: a line in, pictures a second out."""
    with friendly_errors():
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
        run: Callable[[], int] = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(folder)
        for _ in sys.stdin:
            started = time.perf_counter()
            done = run()
            typer.echo(str(done / (time.perf_counter() - started)))
            sys.stdout.flush()


if __name__ == "__main__":
    app()
