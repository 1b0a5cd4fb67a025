"""The flag of `clf-run` for many machines."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.options import LiveOptions

if TYPE_CHECKING:
    from edgeclf.runtime.run_options import RunOptions

_SHARED = (
    "sources", "output", "restart", "retry_failed", "topk", "exif", "threshold", "strict", "max_pixels", "max_failures",
    "follow_links", "nul", "workers", "batch", "embeddings",
)  # fmt: skip
"""Fields of RunOptions that mean the same on a cluster."""


@dataclass(frozen=True)
class RayFlags:
    """ray: the address of a cluster, `""` for a `--ray` without one; None to run on this machine alone."""

    ray: Annotated[
        str | None,
        typer.Option(
            help="Spread the work over a Ray cluster: auto or HOST:PORT. Without a value: $RAY_ADDRESS, or a cluster that "
            "consists of this machine's cores. -o is then a folder or a URI for Parquet parts. Needs edgeclf[ray].",
            metavar="[ADDRESS]",
            rich_help_panel="Many machines",
        ),
    ] = None

    def wanted(self, options: "RunOptions", live: LiveOptions) -> bool:
        """Whether the run is one for a cluster. Raises OptionError for options that cannot be combined with it."""
        if self.ray is None:
            return False
        _check_address(self.ray)
        if live.given:
            raise OptionError("--ray does not combine with live options such as --show; leave them out")
        options.require_only(_SHARED, "does not combine with --ray; leave it out")
        _refuse_cameras(options.sources)
        if options.embeddings:
            raise OptionError(f"--ray writes embeddings as a column of its parts; leave {options.embeddings} out")
        if options.output == "-" or Path(options.output).suffix in (".csv", ".jsonl", ".sqlite", ".db", ".xlsx"):
            raise OptionError(
                f"--ray writes a folder of Parquet parts, not {options.output}; "
                "name one with -o, such as -o results/ or -o s3://bucket/results/"
            )
        if find_spec("ray") is None:
            raise ModuleNotFoundError("No module named 'ray'", name="ray")  # otherwise a dependency of Ray is named first
        if os.path.isfile(options.output):
            raise OptionError(f"{options.output} is a file, and --ray writes a folder of Parquet parts; name another -o")
        return True

    @property
    def address(self) -> str | None:
        """The cluster's address, as for `cluster.connected`."""
        return self.ray or os.environ.get("RAY_ADDRESS")


def _check_address(address: str) -> None:
    """Raise OptionError for what is no address: in `--ray model.onnx`, the model was meant as an argument of its own."""
    if address not in ("", "auto", "local") and ":" not in address:
        raise OptionError(
            f"--ray takes auto or HOST:PORT, not {address!r}; if that is a model or a source, write it first: "
            f"clf-run {address} --ray"
        )


def _refuse_cameras(sources: Sequence[str]) -> None:
    from edgeclf.runtime.cameras.capture import is_live
    from edgeclf.runtime.terminal.masking import mask

    for source in filter(is_live, sources):
        raise OptionError(f"{mask(source)} is live, and --ray is for images in files; leave --ray out")
