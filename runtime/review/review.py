"""`clf-review`: from results to a page on the disk, or to one that is served until Ctrl-C."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.model.labels import read_classes
from edgeclf.runtime.review.answer_index import AnswerIndex
from edgeclf.runtime.review.answers import Answer, read_answers
from edgeclf.runtime.review.corrections import Correction, CorrectionsFile, read_corrections, require_known_labels
from edgeclf.runtime.review.image_places import SAMPLE, ImagePlaces
from edgeclf.runtime.review.options import ReviewOptions
from edgeclf.runtime.review.page_content import Labels
from edgeclf.runtime.review.page_file import Review, check_page, write_page
from edgeclf.runtime.review.page_server import ReviewServer
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts

DEFAULT_CORRECTIONS = Path("corrections.csv")
_ADVANCE = 1_000


def write_review(options: ReviewOptions, page: Path) -> None:
    """Write a page that opens from disk. Raises EdgeclfError before anything is written, if anything is wrong."""
    check_page(page)
    made = read_corrections(options.corrections) if options.corrections else {}
    with _open_review(options, options.corrections, made) as review:
        missing = write_page(review, page)
        count = len(review.index)
    if missing:
        note(f"{plural(missing, 'image')} of {count:,} not found; the page shows their answers alone")
    note(f"{page} shows {plural(count, 'image')}; its thumbnails are in {page.with_name(f'{page.stem}_files')}")


def serve_review(options: ReviewOptions, address: str) -> None:
    """Serve the page until SIGINT or SIGTERM. Raises EdgeclfError."""
    path = options.corrections or DEFAULT_CORRECTIONS
    with closing(CorrectionsFile(path)) as corrections, _open_review(options, path, corrections.counting()) as review:
        server = ReviewServer(review, corrections, address)
        with closing(server), Interrupts() as interrupts:
            note(f"review {plural(len(review.index), 'image')} at {server.url}")
            note(f"decisions are written to {path} at once; Ctrl-C ends")
            interrupts.wait()
    note(f"{plural(len(corrections.counting()), 'correction')} in {path}")
    interrupts.pass_on()


@contextmanager
def _open_review(options: ReviewOptions, path: Path | None, made: dict[str, Correction]) -> Iterator[Review]:
    """path: of the corrections that were made before."""
    if options.root and not options.root.is_dir():
        raise SourceError(f"{options.root} is no folder; name the one that the images are in now with --root")
    more = read_classes(options.classes) if options.classes else ()
    with closing(AnswerIndex(_counted(read_answers(options.results)))) as index:
        if not len(index):
            raise SourceError(f"{options.results} holds no rows; name the output of a run that has classified images")
        labels = Labels.of(index.labels, more)
        if path:
            require_known_labels(made.values(), labels.names, path)
            _note_corrections(made.values(), index, path)
        places = ImagePlaces(index.some(SAMPLE), options.root)
        yield Review(os.path.basename(os.path.abspath(options.results)), index, places, labels, tuple(made.values()))


def _counted(answers: Iterable[Answer]) -> Iterator[Answer]:
    with Progress("reading", unit="row") as progress:
        for number, answer in enumerate(answers, 1):
            if number % _ADVANCE == 0:
                progress.advance(_ADVANCE)
            yield answer


def _note_corrections(made: Iterable[Correction], index: AnswerIndex, path: Path) -> None:
    replaced = sum(one.replaces for one in made)
    if replaced:
        note(f"{path} corrects some images more than once: {plural(replaced, 'row')} replaced by a later one")
    others = sum(not index.has(one.path) for one in made)
    if others:
        note(f"{path} also corrects {plural(others, 'image')} that these results do not have")
