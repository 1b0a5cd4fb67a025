"""A page that opens from disk: `page.html`, and beside it `page_files/` with thumbnails and answers."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.live.web.page_policy import disk_policy
from edgeclf.runtime.review.answer_index import AnswerIndex
from edgeclf.runtime.review.answers import Answer
from edgeclf.runtime.review.corrections import Correction
from edgeclf.runtime.review.image_places import ImagePlaces
from edgeclf.runtime.review.page_content import (
    MARK,
    ROWS_IN_CHUNK,
    ROWS_IN_DETAILS,
    Labels,
    columns,
    decided,
    details,
    head,
    html,
)
from edgeclf.runtime.review.thumbnails import ON_A_SHEET, Sheet, make_sheets
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes
from edgeclf.runtime.storage.own_files import refuse_foreign
from edgeclf.runtime.terminal.progress import Progress

_OURS = re.compile(r"sheet-[0-9a-f]{20}\.jpg|(?:rows|details)-\d+\.js")
_MARK_IS_WITHIN = 1_000  # bytes


@dataclass(frozen=True)
class Review:
    """What a page shows. title: what it is about. corrections: those made before."""

    title: str
    index: AnswerIndex
    places: ImagePlaces
    labels: Labels
    corrections: tuple[Correction, ...] = ()

    def portions(self, size: int) -> Iterator[list[Answer]]:
        """All answers in order, `size` at a time."""
        for start in range(0, len(self.index), size):
            yield self.index.rows(start, start + size)


def check_page(page: Path) -> None:
    """Raise OutputError if the page cannot get this name. Creates nothing."""
    if page.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{page} must end in .html; name a page, such as {page.with_suffix('.html')}")
    if page.is_dir():
        raise OutputError(f"{page} is a folder; name a page, such as {page / 'review.html'}")
    refuse_foreign(page, _is_ours)


def write_page(review: Review, page: Path) -> int:
    """Write the page and the files beside it, and return how many images are missing. Raises OutputError.

    Thumbnails that are there already and whose images have not changed are kept. Files of an earlier page that this one
    does not need are removed in the end.
    """
    check_page(page)
    folder = page.with_name(f"{page.stem}_files")
    make_folder(folder)
    missing, sheets = _write_sheets(review, folder)
    written = {*sheets, *_write_rows(review, folder, sheets), *_write_details(review, folder, page)}
    key = blake2b(os.fsencode(os.path.abspath(page)), digest_size=8).hexdigest()
    known = decided(review.corrections)
    facts = head(review.index, review.labels, review.title, key, folder=quote(folder.name), decided=known)
    content = html(facts)
    policy = f'{MARK.decode()}\n<meta http-equiv="Content-Security-Policy" content="{disk_policy(content)}">'
    publish_bytes(page, content.replace(MARK, policy.encode(), 1))
    for name in os.listdir(folder):
        if _OURS.fullmatch(name) and name not in written:
            os.unlink(folder / name)
    return missing


def _write_sheets(review: Review, folder: Path) -> tuple[int, list[str]]:
    """The number of missing images, and the names of the sheets."""
    missing, names = 0, []
    portions = enumerate(review.portions(ON_A_SHEET))
    sheets = (Sheet(number, [review.places.find(answer) for answer in some]) for number, some in portions)
    with Progress("thumbnails", len(review.index)) as progress:
        for sheet, is_new in make_sheets(sheets, folder):
            names.append(sheet.name)
            missing += sheet.frames.count(None)
            if is_new:
                progress.advance(len(sheet.frames))
            else:
                progress.start_at(progress.done + len(sheet.frames))
    return missing, names


def _write_rows(review: Review, folder: Path, sheets: list[str]) -> Iterator[str]:
    on_chunk = ROWS_IN_CHUNK // ON_A_SHEET
    for number in range(-(-len(review.index) // ROWS_IN_CHUNK)):
        content = columns(review.index, review.labels, number) | {
            "sheets": sheets[number * on_chunk : (number + 1) * on_chunk]
        }
        yield _publish(folder, f"rows-{number}", content)


def _write_details(review: Review, folder: Path, page: Path) -> Iterator[str]:
    start = os.path.abspath(page.parent)
    for number, some in enumerate(review.portions(ROWS_IN_DETAILS)):
        yield _publish(folder, f"details-{number}", [details(one, _url(review.places, one, start)) for one in some])


def _url(places: ImagePlaces, answer: Answer, start: str) -> str | None:
    """The image's URL from the folder of the page; None if it is no file of its own."""
    frame = places.find(answer)
    if frame is None or not isinstance(frame.image, str):
        return None
    return quote(os.fsencode(os.path.relpath(os.path.abspath(frame.image), start)))


def _publish(folder: Path, name: str, content: Any) -> str:
    """A script, because a page from disk may not load data in another way. Returns the name of the file."""
    publish_bytes(folder / f"{name}.js", f"arrived({json.dumps(name)}, {json.dumps(content)});\n".encode())
    return f"{name}.js"


def _is_ours(path: Path) -> bool:
    with open(path, "rb") as file:
        return MARK in file.read(_MARK_IS_WITHIN)
