"""The flags of `clf-run` for many machines."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cli.live_flags import LiveFlags
from edgeclf.runtime.errors import OptionError

if TYPE_CHECKING:
    from edgeclf.runtime.run import RunOptions

_PANEL = "Many machines (with edgeclf[ray])"
_SHARED = (
    "sources", "output", "restart", "retry_failed", "topk", "all_scores", "threshold", "strict", "max_pixels",
    "max_failures", "follow_links", "nul", "workers", "batch",
)  # fmt: skip
"""Fields of RunOptions that mean the same on a cluster."""


@dataclass(frozen=True)
class RayFlags:
    """As they are typed."""

    engine: Annotated[
        str | None,
        typer.Option(
            help="ray: spread the work over a Ray cluster; -o is a folder or a URI for Parquet parts.",
            metavar="ray",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="auto or HOST:PORT of a running cluster; default $RAY_ADDRESS, else one of this machine's cores.",
            metavar="ADDRESS",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None

    def wanted(self, options: "RunOptions", live: LiveFlags) -> bool:
        """Whether the run is one for a cluster. Raises OptionError for options that do not go with it."""
        if self.engine is None:
            if self.ray_address:
                raise OptionError("--ray-address is for --engine ray; add it, or leave the address out")
            return False
        if self.engine != "ray":
            raise OptionError(f"--engine takes ray, not {self.engine!r}; leave it out to run on this machine alone")
        if live.given:
            raise OptionError("live options such as --show mean nothing with --engine ray; leave them out")
        options.require_only(_SHARED, "means nothing with --engine ray; leave it out")
        _refuse_cameras(options.sources)
        if options.output == "-" or Path(options.output).suffix in (".csv", ".jsonl", ".sqlite", ".db"):
            raise OptionError(
                f"--engine ray writes a folder of Parquet parts, not {options.output}; "
                "name one with -o, such as -o results/ or -o s3://bucket/results/"
            )
        if find_spec("ray") is None:
            raise ModuleNotFoundError("No module named 'ray'", name="ray")  # before that of a part of what it brings
        if os.path.isfile(options.output):
            raise OptionError(
                f"{options.output} is a file, and --engine ray writes a folder of Parquet parts; name another -o"
            )
        return True

    @property
    def address(self) -> str | None:
        """Of the cluster, as for `cluster.connected`."""
        return self.ray_address or os.environ.get("RAY_ADDRESS")


def _refuse_cameras(sources: Sequence[str]) -> None:
    from edgeclf.runtime.cameras.capture import is_live
    from edgeclf.runtime.terminal.masking import mask

    for source in filter(is_live, sources):
        raise OptionError(f"{mask(source)} is live, and --engine ray is for images in files; leave --engine out")
