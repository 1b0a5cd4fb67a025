"""What a run is asked to do: each option is declared here once, with its flag, its help and its checks."""

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.results.answer_flags import Confidence, TopK, Unknown
from edgeclf.runtime.results.embedding_flags import (
    MOST_ALIKE,
    WITH_LIKE,
    Embeddings,
    Like,
    check_embeddings_flag,
    check_like_flag,
)
from edgeclf.runtime.results.explain_options import NO_EXPLANATIONS, ExplainOptions
from edgeclf.runtime.results.failure_limit import NO_LIMIT, MaxFailures
from edgeclf.runtime.results.fingerprint import SOURCES, Fingerprint
from edgeclf.runtime.results.sort_mode import Sort, SortDir, SortMode
from edgeclf.runtime.sources.sampling import EVERY_FRAME, SOURCES_PANEL, Sampling
from edgeclf.runtime.sources.verify_flag import BAD_IMAGES_PANEL, Verify
from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.console import STDOUT
from edgeclf.runtime.terminal.flags import Text, flags_given

if TYPE_CHECKING:
    from edgeclf.runtime.images.decode import Checks
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.results.columns import Schema
    from edgeclf.runtime.results.row import RowBuilder

_DIGEST_DIGITS = 16
_OUTPUT, _JOURNAL, _SPEED = "Output", "Journal", "Speed"
"""Sections of the help."""


@dataclass(frozen=True)
class RunOptions:
    """The options of a run.

    topk: None for all classes, 0 if it was not given. threshold: an answer with a lower confidence is `unsure`. unknown: the
    share of known images that may be called `unknown`, 0 for off; None for what the model file says. journal: None for a
    journal beside the output, or no journal if the output is stdout. sources_moved: go on with a journal whose sources have
    other names. batch: None measures which size is fastest. For the rest, see `clf-run --help`.
    """

    sources: Annotated[
        tuple[str, ...],
        typer.Option(
            "--source",
            "-s",
            help="A folder (with its sub-folders), an image, a video, a quoted pattern, a .zip or .tar, @list.txt, "
            "list.csv:column, - for paths on stdin, or a URI such as s3://bucket/photos. Live: webcam, 1, /dev/video2, 0,1 "
            "for two cameras, an rtsp:// or http:// address, or screen. Repeat the option for several sources.",
            metavar="SOURCE",
            show_default=False,
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = ()
    sampling: Sampling = EVERY_FRAME
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links to folders.", rich_help_panel=SOURCES_PANEL)
    ] = False
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Keep running and classify images that are added to the folder, until interrupted.",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = False
    nul: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Paths on stdin end in NUL, as find -print0 writes them.",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = False
    strict: Verify = False
    max_pixels: Annotated[
        int,
        typer.Option(
            min=1, help="Refuse larger images before decoding them.", metavar="N", rich_help_panel=BAD_IMAGES_PANEL
        ),
    ] = MAX_PIXELS
    max_failures: Annotated[
        MaxFailures,
        Text(MaxFailures.parse),
        typer.Option(
            help="Stop when more than N images fail, or more than N% of at least 100.",
            metavar="N|N%",
            rich_help_panel=BAD_IMAGES_PANEL,
        ),
    ] = NO_LIMIT
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="FILE.csv, .jsonl, .parquet, .sqlite, .xlsx. Live: .csv, .jsonl. - is stdout: CSV; on a terminal, lines.",
            metavar="FILE",
            rich_help_panel=_OUTPUT,
        ),
    ] = STDOUT
    json_lines: Annotated[
        bool, typer.Option("--json", help="Write JSON lines instead of CSV to stdout.", rich_help_panel=_OUTPUT)
    ] = False
    excel: Annotated[
        bool,
        typer.Option("--excel", help="Write CSV as Excel expects it, for accents and times.", rich_help_panel=_OUTPUT),
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(help="Write each image, with its answer drawn on, to DIR.", metavar="DIR", rich_help_panel=_OUTPUT),
    ] = None
    explain: ExplainOptions = NO_EXPLANATIONS
    topk: TopK = 0
    exif: Annotated[
        bool,
        typer.Option("--exif", help="Also when, where and with which camera a photo was taken.", rich_help_panel=_OUTPUT),
    ] = False
    threshold: Confidence = 0.0
    unknown: Unknown = None
    journal: Annotated[
        Path | None,
        typer.Option(help="The journal to keep.", show_default="FILE.journal", metavar="FILE", rich_help_panel=_JOURNAL),
    ] = None
    no_journal: Annotated[
        bool, typer.Option("--no-journal", help="Keep no journal: an interrupted run starts over.", rich_help_panel=_JOURNAL)
    ] = False
    sources_moved: Annotated[
        bool,
        typer.Option(
            "--sources-moved",
            help="Go on with the journal although the sources have new names; they hold the same images.",
            rich_help_panel=_JOURNAL,
        ),
    ] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Classify images again that failed before.", rich_help_panel=_JOURNAL)
    ] = False
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard the journal and start over.", rich_help_panel=_JOURNAL)
    ] = False
    sort: Sort = None
    sort_dir: SortDir = None
    embeddings: Embeddings = None
    like: Like = None
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads.", metavar="N", show_default="one for each usable core", rich_help_panel=_SPEED),
    ] = None
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", "-b", min=1, help="Images in one call of the model.", metavar="N", show_default="measured",
            rich_help_panel=_SPEED,
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        self._check_output()
        self._check_sorting()
        self._check_journal()
        if self.embeddings is not None:
            check_embeddings_flag(self.embeddings, self.output, no_journal=self.no_journal)
        if self.like is not None:
            self.require_only(WITH_LIKE, "does not combine with --like; leave it out")
            check_like_flag(self.like, self.topk)

    def _check_output(self) -> None:
        if self.json_lines and self.output != STDOUT:
            is_json = self.output.endswith(".jsonl")
            cure = "which the suffix of the file says already" if is_json else "and name a .jsonl file with -o instead"
            raise OptionError(f"--json is for stdout; leave it out, {cure}")
        if self.excel and (self.json_lines or Path(self.output).suffix.lower() not in ("", ".csv")):
            instead = f"name a .csv file instead of {self.output}, or a .xlsx without it"
            advice = "leave out --json" if self.json_lines else instead
            raise OptionError(f"--excel is for CSV; {advice}")

    def _check_sorting(self) -> None:
        require_choice("--sort", self.sort, get_args(SortMode), is_optional=True)
        if (self.sort is None) != (self.sort_dir is None):
            raise OptionError("--sort needs --sort-dir, and --sort-dir needs --sort; give both")

    def _check_journal(self) -> None:
        if self.journal and os.path.realpath(self.journal) == os.path.realpath(self.output):
            raise OptionError(f"{self.output} cannot be both the output and the journal; name another with --journal")
        if self.embeddings and os.path.realpath(self.embeddings) in map(os.path.realpath, (self.output, self.journal or "")):
            raise OptionError(f"{self.embeddings} cannot hold anything but embeddings; name another file with --embeddings")
        goes_on = self.sources_moved or self.restart or self.retry_failed
        if self.no_journal and (goes_on or self.journal or self.sort):
            raise OptionError(
                "--journal, --sources-moved, --restart, --retry-failed and --sort need a journal; leave out --no-journal"
            )
        resumable = self.journal_path is not None or os.path.isdir(self.output)  # a run over a cluster writes into a folder
        if goes_on and not resumable:
            raise OptionError(
                "--sources-moved, --restart and --retry-failed need a journal; write to a file with -o, or name a journal "
                "with --journal"
            )

    def require_only(self, names: Collection[str], why: str) -> None:
        """Raise OptionError if a field that is not in `names` was given. why: what the sentence says after its flag."""
        for name, flag in flags_given(self):
            if name not in names:
                raise OptionError(f"{flag} {why}")

    @property
    def journal_path(self) -> Path | None:
        """The journal's file; None for a run without a journal."""
        if self.no_journal or self.journal or self.like:
            return self.journal
        if self.output != STDOUT and (os.path.isfile(self.output) or not os.path.exists(self.output)):
            return Path(f"{self.output}.journal")
        if self.sort_dir:
            return self.sort_dir / "clf-run.journal"
        return Path(f"{self.embeddings}.journal") if self.embeddings else None

    @property
    def threads(self) -> int:
        """The number of workers, by default one for each usable core."""
        return self.workers or usable_cores()

    @property
    def labels(self) -> int | None:
        """Classes in a row; None for all."""
        return 1 if self.like else self.topk if self.topk is None else self.topk or 1

    @property
    def most_alike(self) -> int:
        """Images that a search finds."""
        return self.topk or MOST_ALIKE

    @property
    def resumed(self) -> bool:
        """Whether there is a journal to go on with."""
        return self.journal_path is not None and self.journal_path.is_file() and not self.restart

    def row_builder(self, card: "ModelCard", model: str = "") -> "RowBuilder":
        """Makes rows of answers. model: the model's identifier, as in `Row`."""
        from edgeclf.runtime.results.row import RowBuilder  # imports numpy

        highest = 1.0 if card.novelty is None else card.novelty.highest(self.unknown)
        return RowBuilder(self.labels or len(card.classes), self.threshold, model, highest)

    def schema(self, card: "ModelCard") -> "Schema":
        """The columns of the rows."""
        from edgeclf.runtime.results.columns import Schema

        if self.labels is None:
            return Schema(classes=card.classes, exif=self.exif)
        return Schema(min(self.labels, len(card.classes)), exif=self.exif, like=self.like is not None)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The further outputs that the model must have."""
        return ("embedding",) if self.embeddings is not None or self.like is not None else ()

    def checks(self) -> "Checks":
        """What is done with a file before it is decoded."""
        from edgeclf.runtime.images.decode import Checks

        return Checks(self.max_pixels, self.strict, self.exif)

    def fingerprint(self, model: str, card: "ModelCard", *, foreign: bool) -> Fingerprint:
        """Everything that determines the rows. foreign: whether the card comes from the command line."""
        made_with: dict[str, Any] = {
            "model": model,
            SOURCES: list(self.sources),
            "--topk": self.labels or "all",
            "--exif": self.exif or None,
            "--conf": self.threshold,
            "--unknown": self.unknown,
            "--verify": "strict" if self.strict else None,
            "--max-pixels": self.max_pixels,
            "--vid-stride": self.sampling.stride if self.sampling.stride != 1 else None,
            "--every": f"{self.sampling.every_s:g}s" if self.sampling.every_s is not None else None,
            "--embeddings": self.embeddings is not None or None,
            "--sort": self.sort,
            "--sort-dir": str(self.sort_dir) if self.sort_dir else None,
        }
        if foreign:
            made_with["card"] = hashlib.sha256(card.to_json().encode()).hexdigest()[:_DIGEST_DIGITS]
        return {name: value for name, value in made_with.items() if value is not None}
