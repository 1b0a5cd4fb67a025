"""The columns of every output. CSV, JSON lines, Parquet, SQLite and the table in docs/rows.md follow from COLUMNS."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Literal

from edgeclf.runtime.results.row import Row
from edgeclf.runtime.terminal.escaping import escape

Output = Literal["csv", "jsonl", "parquet", "sqlite"]
Kind = Literal["text", "category", "number", "whole number", "object", "time", "local time", "vector"]
"""category: text with few values. time: ISO 8601 in UTC. local time: ISO 8601 without an offset. vector: float32 numbers."""
TIMES = ("time", "local time")
_FLAT: tuple[Output, ...] = ("csv", "parquet", "sqlite")
_ALL: tuple[Output, ...] = (*_FLAT, "jsonl")
_EXIF, _RAY, _EMBEDDINGS, _LIKE = "`--exif`", "`--ray`", "`--embeddings`", "`--like`"
_SCORE = "score_"


@dataclass(frozen=True, slots=True)
class Column:
    """meaning: for docs/rows.md. outputs: those that have it. needs: the option that asks for it, or empty.

    origin: the attribute of a row, if it is not the name.
    """

    name: str
    kind: Kind
    meaning: str
    outputs: tuple[Output, ...] = _ALL
    needs: str = ""
    origin: str = ""


def _exif(name: str, kind: Kind, meaning: str) -> Column:
    """A column with what a photo says about itself."""
    return Column(name, kind, meaning, needs=_EXIF, origin=f"photo.{name}")


_TOP = Column("top", "object", "the most probable classes with their probabilities, best first", ("jsonl",))
_SECOND = (
    Column("label_2", "category", "the second class, and so on up to `label_N`", _FLAT, needs="`--topk N`"),
    Column("confidence_2", "number", "its probability, and so on up to `confidence_N`", _FLAT, needs="`--topk N`"),
)
_CLASS = Column(f"{_SCORE}CLASS", "number", "the probability of that class, for each class", _FLAT, needs="`--topk all`")
PATH = Column("path", "text", "the image as it was named; a place in a file is added: `day.zip/a.jpg`, `clip.mp4#frame=0`")
EMBEDDING = Column("embedding", "vector", "what the last layer of the network sees", ("parquet",), needs=_EMBEDDINGS)
_BEFORE = (
    PATH,
    Column("status", "category", "`ok`; `unsure` if the confidence is below `--conf`; `unknown` if no class fits; `error`"),
    Column("label", "category", "the most probable class, if the status is `ok`"),
    Column("confidence", "number", "the probability of the most probable class, 0 to 1"),
)
_AFTER = (
    Column("guess", "category", "the most probable class, if the status is `unsure` or `unknown`"),
    Column("novelty", "number", "how unlike all that the model has learned; by default, `unknown` above 1"),
    Column("similarity", "number", "to the image of `--like`: the cosine of the embeddings, at most 1", needs=_LIKE),
    Column("error", "category", "why there is no answer; see [unreadable images](run.md#unreadable-images)"),
    Column("detail", "text", "more about that"),
    Column("width", "whole number", "of the stored image, in pixels"),
    Column("height", "whole number", "of the stored image, in pixels"),
    _exif("taken_at", "local time", "when the photo was taken, by the camera's clock"),
    _exif("taken_offset_h", "number", "hours by which that clock is ahead of UTC"),
    _exif("latitude", "number", "degrees, negative in the south"),
    _exif("longitude", "number", "degrees, negative in the west"),
    _exif("camera", "category", "make and model"),
    Column("sorted_to", "text", "where `--sort` put the image"),
    Column("time", "time", "when the image was classified"),
    Column("position_s", "number", "videos: seconds from the beginning"),
    Column("age_ms", "number", "cameras: milliseconds from the camera's delivery of the frame to the answer"),
    Column("modified", "time", "last change of the file when it was listed; empty for images in a zip"),
    Column("size_bytes", "whole number", "of the file when it was listed"),
    Column("model", "category", "the first 16 digits of the model file's sha256"),
    Column(
        "mtime_ns", "whole number", "`modified` in nanoseconds since 1970; in a zip, the checksum", ("parquet",), needs=_RAY
    ),
    EMBEDDING,
)
COLUMNS = (*_BEFORE, _TOP, *_SECOND, _CLASS, *_AFTER)
"""All there are, in order. Their names and the order belong to the schema's version."""


@dataclass(frozen=True)
class Schema:
    """Which columns the rows of a run have; it depends on options and classes, never on the rows.

    topk: labels with columns of their own. classes: those whose scores have columns, for `--topk all`. exif: with what
    photos say about themselves. ray: with what a later run over Ray needs to find out which files have changed.
    embedding: the numbers in an embedding, 0 without that column. like: with the similarity.
    """

    topk: int = 1
    classes: tuple[str, ...] = ()
    exif: bool = False
    ray: bool = False
    embedding: int = 0
    like: bool = False

    def columns(self, output: Output) -> tuple[Column, ...]:
        """In order."""
        answers = (_TOP,) if output == "jsonl" else tuple(self._answers())
        return (*_BEFORE, *answers, *self._after(output))

    def reader(self, output: Output) -> Callable[[Row], Sequence[Any]]:
        """A function that gives a row's values in the order of the columns."""
        plain = (*_BEFORE, *([_TOP] if output == "jsonl" else []), *self._after(output))
        values: Callable[[Row], tuple[Any, ...]] = attrgetter(*(column.origin or column.name for column in plain))
        if output == "jsonl" or (self.topk == 1 and not self.classes):
            return values
        answers = self._scores if self.classes else self._others
        place = len(_BEFORE)

        def with_answers(row: Row) -> Sequence[Any]:
            found = values(row)
            return (*found[:place], *answers(row.top), *found[place:])

        return with_answers

    def _after(self, output: Output) -> list[Column]:
        given = {"": True, _EXIF: self.exif, _RAY: self.ray, _EMBEDDINGS: self.embedding, _LIKE: self.like}
        return [column for column in _AFTER if output in column.outputs and given[column.needs]]

    def _answers(self) -> Iterator[Column]:
        """The columns for more than the best class."""
        if self.classes:
            for name in score_names(self.classes):
                yield Column(name, "number", _CLASS.meaning, _FLAT)
            return
        for place in range(2, self.topk + 1):
            for column in _SECOND:
                yield Column(column.name.replace("2", str(place)), column.kind, column.meaning, _FLAT)

    def _scores(self, top: dict[str, float]) -> Sequence[float | None]:
        return [top.get(label) for label in self.classes]

    def _others(self, top: dict[str, float]) -> Sequence[str | float | None]:
        cells: list[Any] = [*chain.from_iterable(islice(top.items(), 1, self.topk))]
        return cells + ["", None] * (self.topk - 1 - len(cells) // 2)


PLAIN = Schema()
"""The columns without any option."""


@dataclass(frozen=True)
class EmbeddingSchema(Schema):
    """The columns of a Parquet file that holds only embeddings."""

    def columns(self, output: Output) -> tuple[Column, ...]:
        return (PATH, EMBEDDING)

    def reader(self, output: Output) -> Callable[[Row], Sequence[Any]]:
        values: Callable[[Row], tuple[Any, ...]] = attrgetter(PATH.name, EMBEDDING.name)
        return values


def are_columns(names: Sequence[str], output: Output) -> bool:
    """Whether some schema has exactly these columns."""
    exif, like = "taken_at" in names, "similarity" in names
    answers = () if output == "jsonl" else names[len(_BEFORE) : names.index("guess")] if "guess" in names else ()
    scores = tuple(name.removeprefix(_SCORE) for name in answers if name.startswith(_SCORE))
    plain = [column.name for column in Schema(exif=exif, like=like).columns(output)]
    plain[len(_BEFORE) : len(_BEFORE)] = answers if len(scores) == len(answers) else _numbered(len(answers) // 2)
    return [*names] == plain


def _numbered(others: int) -> list[str]:
    return [column.name for column in Schema(topk=1 + others)._answers()]


def score_names(classes: Sequence[str]) -> list[str]:
    """One for each class. Databases take `A` and `a` for one name, so a number makes the second one different.

    >>> score_names(["dog", "Dog", "dog_2"])
    ['score_dog', 'score_Dog_2', 'score_dog_2_2']
    """
    taken: set[str] = set()
    names = []
    for label in classes:
        name, number = f"{_SCORE}{escape(label)}", 1
        while (distinct := name if number == 1 else f"{name}_{number}").casefold() in taken:
            number += 1
        taken.add(distinct.casefold())
        names.append(distinct)
    return names
