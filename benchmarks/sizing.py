"""How long does a large run take, what does it cost, and what saturates first?

`python -m edgeclf.benchmarks.sizing RATE BYTES` prints the table of docs/scale.md: RATE is images per second and core, as
`edgeclf.benchmarks.scaling` and `.throughput` measure it; BYTES is the size of an image file.
"""

from dataclasses import dataclass
from math import ceil
from typing import Annotated

import typer

from edgeclf.benchmarks.results import table
from edgeclf.runtime.terminal.console import command_app, print_data

app = command_app()

IMAGES = (10**6, 10**7, 10**8, 10**9)
CORES = (10, 100, 1000)
PART = 4096
"""Rows in a Parquet part; the first parts have fewer."""
REQUESTS, LISTINGS, KEYS = 2, 2, 1000
"""Requests per image (HEAD and GET), listings per run (one to work through, one to count), and keys per listing request."""
PREFIX_REQUESTS_S = 5500
"""Guaranteed for one partitioned prefix of S3: docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html"""
LIST_S = 0.2
"""Duration of a listing request; the next one waits for it. Assumed, not measured."""
START_S = 20
"""Time until Ray runs and every worker has its model."""
INDEX_BYTES = 140
"""Memory per image on the machine that runs the command."""
GET_USD, LIST_OR_PUT_USD = 0.0004 / 1000, 0.005 / 1000
"""S3 Standard: aws.amazon.com/s3/pricing, as c3x.dev/blog/s3-request-fees-explained quotes it."""


@app.command()
def sizing(
    rate: Annotated[float, typer.Argument(min=0.001, help="Images per second and core.")],
    image_bytes: Annotated[float, typer.Argument(min=1, metavar="BYTES", help="Size of an image file.")],
    core_hour: Annotated[float, typer.Option(help="Price of a core per hour, in dollars.")] = 0.0425,
    handed_out: Annotated[float, typer.Option(help="Images per second that one command hands out.")] = 40_000,
) -> None:
    """Print a Markdown table for runs of several sizes."""
    runs = [PlannedRun(images, cores, rate, image_bytes, handed_out) for images in IMAGES for cores in CORES]
    columns = ("images", "cores", "time", "Gbit/s", "prefixes", "runs", "memory", "cores", "requests", "saturates first")
    print_data(table(columns, [run.cells(core_hour) for run in runs]).rstrip())


@dataclass(frozen=True)
class PlannedRun:
    """rate: images per second and core. handed_out: images per second that one command lists, looks up and packs."""

    images: int
    cores: int
    rate: float
    image_bytes: float
    handed_out: float

    @property
    def wanted(self) -> float:
        """Images per second if the cores never wait."""
        return self.cores * self.rate

    @property
    def hours(self) -> float:
        return (START_S + self.images / self.wanted) / 3600

    @property
    def gbit_s(self) -> float:
        return self.wanted * self.image_bytes * 8 / 1e9

    @property
    def prefixes(self) -> int:
        """Partitioned prefixes that the bucket needs."""
        return ceil(self.wanted * REQUESTS / PREFIX_REQUESTS_S)

    @property
    def runs(self) -> int:
        """Parallel runs, each over a share of the bucket, so that listing and handing out keep up."""
        return ceil(self.wanted / min(KEYS / LIST_S, self.handed_out))

    @property
    def memory_bytes(self) -> float:
        """Memory of the machines that run the command, added up."""
        return self.images * INDEX_BYTES

    @property
    def requests_usd(self) -> float:
        lists_and_puts = self.images * (LISTINGS / KEYS + 1 / PART)
        return self.images * REQUESTS * GET_USD + lists_and_puts * LIST_OR_PUT_USD

    @property
    def saturated(self) -> list[str]:
        """The limits that are below the speed of the cores, the lowest first."""
        limits = {
            "one prefix": PREFIX_REQUESTS_S / REQUESTS,
            "listing": KEYS / LIST_S,
            "the command": self.handed_out,
        }
        return [name for name, limit in sorted(limits.items(), key=lambda item: item[1]) if limit < self.wanted]

    def cells(self, core_hour: float) -> tuple[str, ...]:
        """A row of the table."""
        return (
            f"{self.images:,}",
            f"{self.cores:,}",
            _time(self.hours),
            f"{self.gbit_s:.1f}",
            f"{self.prefixes:,}",
            f"{self.runs:,}",
            f"{self.memory_bytes / 1e9:.1f} GB",
            f"${self.hours * self.cores * core_hour:,.2f}",
            f"${self.requests_usd:,.2f}",
            ", ".join(self.saturated) or "the cores",
        )


def _time(hours: float) -> str:
    """In the unit that makes it a small number.

    >>> _time(0.01), _time(0.5), _time(3.21), _time(100)
    ('36 s', '30 min', '3.2 h', '4.2 days')
    """
    if hours * 3600 < 100:
        return f"{hours * 3600:.0f} s"
    if hours * 60 < 100:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} days"


if __name__ == "__main__":
    app()
