"""`edgeclf.classify(...)`: a folder or any other source, on all cores, as outcomes or as a table for pandas."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.model.prediction import Outcome
from edgeclf.runtime.pipeline import classify_batches
from edgeclf.runtime.results.columns import Column, Schema
from edgeclf.runtime.results.row import RowBuilder, current_time
from edgeclf.runtime.results.utf8 import as_utf8
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from pandas import DataFrame


def classify(
    source: str | os.PathLike[str] | Iterable[Frame | None],
    classifier: Classifier | str | os.PathLike[str],
    *,
    workers: int | None = None,
    batch: int | None = 1,
    checks: Checks = Checks(),  # noqa: B008 (frozen)
) -> "Outcomes":
    """One outcome per image, in order; an image that cannot be read is an outcome too.

    source: a folder, a file, a pattern or whatever else `open_source` takes; or its result, or other frames. None among
    frames is a pause, at which all outcomes so far are returned. classifier: a model file is opened for this. If you open
    it yourself, do it with `threads=1`. workers: threads, by default one for each usable core. batch: images in one call of
    the model; None measures which number is fastest. checks: what files must pass before they are decoded.
    Raises ModelError or SourceError.
    """
    frames = open_source(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
    opened = classifier if isinstance(classifier, Classifier) else Classifier.open(classifier, threads=1)
    batches = classify_batches(frames, opened, workers=workers, batch=batch, checks=checks)
    count = getattr(frames, "count", None) if hasattr(frames, "prefixes") else None  # a list has another `count`
    return Outcomes(batches, opened, exif=checks.exif, count=count)


class Outcomes(Iterator[Outcome]):
    """Outcomes as they become ready. Each can be taken once: in a loop, or as a table."""

    def __init__(
        self, batches: Iterator[list[Outcome]], classifier: Classifier, *, exif: bool, count: Callable[[], int] | None
    ) -> None:
        self._outcomes = chain.from_iterable(batches)
        self._batches = batches
        self._classifier = classifier
        self._exif = exif
        self._count = count

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def close(self) -> None:
        """Stop the workers. Only needed if outcomes are left."""
        self._batches.close()  # type: ignore[attr-defined]  # a generator

    def to_dataframe(self, *, topk: int | Literal["all"] = 1, conf: float = 0.0) -> "DataFrame":
        """All outcomes that were not taken yet, one row for each, with the columns of docs/rows.md.

        topk: classes with columns of their own, as for `clf-run --topk`. conf: below this confidence, 0 to 1, the status is
        `unsure`. What photos say about themselves is there with `classify(..., checks=Checks(exif=True))`.
        Raises OptionError without pandas, or for a wrong value.
        """
        classes = self._classifier.card.classes
        if topk != "all" and (not isinstance(topk, int) or topk < 1):
            raise OptionError(f"topk must be a whole number above 0, or 'all', not {topk!r}")
        if not 0 <= conf <= 1:
            raise OptionError(f"conf must be from 0 to 1, not {conf!r}")
        _require_pandas()
        count = len(classes) if topk == "all" else min(topk, len(classes))
        schema = Schema(classes=classes, exif=self._exif) if topk == "all" else Schema(count, exif=self._exif)
        path = self._classifier.path
        return _to_dataframe(schema, self._rows(schema, RowBuilder(count, conf, model_id(path) if path else "")))

    def _rows(self, schema: Schema, builder: RowBuilder) -> list[Any]:
        read = schema.reader("csv")
        rows = []
        with Progress("classifying") as progress:
            if self._count:
                progress.count_in_background(self._count)
            for outcome in self:
                rows.append(read(builder.row(outcome, current_time())))
                progress.advance()
        return rows


def _require_pandas() -> None:
    try:
        import pandas as pd  # noqa: F401
    except ModuleNotFoundError:
        raise OptionError("a table needs pandas, which is not installed: pip install pandas") from None


def _to_dataframe(schema: Schema, rows: list[Any]) -> "DataFrame":
    import pandas as pd

    columns = schema.columns("csv")
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pd.DataFrame({one.name: _series(one, values) for one, values in zip(columns, cells, strict=True)})


def _series(column: Column, values: tuple[Any, ...]) -> Any:
    """In the type that a column of this kind has in pandas."""
    import pandas as pd

    if column.kind in ("time", "local time"):
        found = pd.Series(values, dtype="object")
        return pd.to_datetime(found, utc=column.kind == "time", format="ISO8601")
    if column.kind in ("text", "category"):
        return pd.Series([as_utf8(value) for value in values], dtype="category" if column.kind == "category" else "str")
    return pd.Series(values, dtype="float64" if column.kind == "number" else "Int64")
