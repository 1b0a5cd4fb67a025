"""The flags of `clf-run` for embeddings; in a file of their own because option parsing must not import NumPy."""

from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import STDOUT

WITH_LIKE = (
    "sources", "sampling", "follow_links", "nul", "strict", "max_pixels", "max_failures", "output", "json_lines", "excel",
    "topk", "exif", "threshold", "unknown", "workers", "batch", "like",
)  # fmt: skip
"""Fields of RunOptions that say something about a search."""
MOST_ALIKE = 20
"""Images that `--like` finds without a `--topk`."""
_PANEL = "Embeddings"
"""A section of the help."""
_SUFFIXES = (".parquet", ".npy")
_WITHOUT_PARQUET = (".csv", ".jsonl", ".sqlite", ".db", ".xlsx")

Embeddings = Annotated[
    str | None,
    typer.Option(
        help="Also write what the network sees in each image, float32, to FILE.parquet or FILE.npy. Without a value: a "
        "column of the Parquet rows. Similar images have similar embeddings.",
        metavar="[FILE]",
        rich_help_panel=_PANEL,
    ),
]
"""The file, `""` for a column, None for neither."""
Like = Annotated[
    Path | None,
    typer.Option(
        help=f"Only find the images that are most like IMAGE, the best first: {MOST_ALIKE}, or as many as --topk N says.",
        metavar="IMAGE",
        rich_help_panel=_PANEL,
    ),
]


def check_embeddings_flag(embeddings: str, output: str, *, no_journal: bool) -> None:
    """Raise OptionError for a value that is no file for embeddings, or cannot be kept. output: that of the rows."""
    if no_journal:
        raise OptionError("--embeddings needs a journal, which keeps them until the end; leave out --no-journal")
    if embeddings and Path(embeddings).suffix.lower() not in _SUFFIXES:
        raise OptionError(
            f"--embeddings takes a .parquet or .npy file, not {embeddings!r}; if that is a model or a source, write it "
            f"first: clf-run {embeddings} --embeddings"
        )
    if not embeddings and (output == STDOUT or Path(output).suffix.lower() in _WITHOUT_PARQUET):
        where = "stdout" if output == STDOUT else output
        raise OptionError(
            f"--embeddings without a file is a column of Parquet rows, and {where} is none; name a file, such as "
            "--embeddings embeddings.npy, or -o rows.parquet"
        )


def check_like_flag(like: Path, topk: int | None) -> None:
    """Raise OptionError for a search that cannot be."""
    if topk is None:
        raise OptionError("--like keeps the most similar images only; give their number with --topk, such as --topk 100")
    if not like.is_file():
        raise OptionError(f"--like {like} is not a file; name an image")
