"""The findings of `clf-check` as an HTML page with the images side by side."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.findings import MEANINGS, Checkup, Finding
from edgeclf.train.results import html_page
from edgeclf.train.results.html_page import capitalized, paragraph, text
from edgeclf.train.results.thumbnail import thumbnail

_MOST_FINDINGS = 200
"""Of one kind. More make a page that nobody reads."""
_MOST_IMAGES = 6
_SIDE = 160
_READ = Preprocess((_SIDE, _SIDE), fit="pad")
_STYLE = """
.finding { border-bottom: 1px solid var(--line); padding: .75rem 0 }
.finding p { margin: 0 0 .5rem }
.side-by-side { display: flex; flex-wrap: wrap; gap: .75rem }
.side-by-side figure { margin: 0; width: 10rem; max-width: 100% }
.error { color: #d9622b }
"""


def check_page(data: Path, checkup: Checkup, files: Sequence[Sequence[str]]) -> str:
    """The page. files: for each finding, where its images are now; archives are unpacked elsewhere."""
    sections = {}
    pairs = zip(checkup.findings, files, strict=True)
    for kind, of_kind in groupby(pairs, lambda pair: pair[0].kind):
        found = list(of_kind)
        shown = "".join(_finding(finding, paths) for finding, paths in found[:_MOST_FINDINGS])
        more = f"and {len(found) - _MOST_FINDINGS:,} more" if len(found) > _MOST_FINDINGS else ""
        title = capitalized(f"{html_page.readable(kind)}: {len(found):,}")
        sections[title] = paragraph(capitalized(MEANINGS[kind]) + ".") + shown + (paragraph(more) if more else "")
    lead = f"{plural(len(checkup.findings), 'finding')} in {plural(checkup.images, 'image')}"
    return html_page.page(str(data), html_page.lead(lead + "."), sections, _STYLE)


def is_check_page(path: Path) -> bool:
    """Whether a file is a page of edgeclf. Raises OSError."""
    with path.open("rb") as file:
        return b'name="generator" content="edgeclf' in file.read(1000)


def _finding(finding: Finding, files: Sequence[str]) -> str:
    figures = [_image(name, file) for name, file in zip(finding.paths[:_MOST_IMAGES], files, strict=False)]
    more = len(finding.paths) - len(figures)
    detail = finding.detail + (f" (and {plural(more, 'more image')})" if more else "")
    side_by_side = f'<div class="side-by-side">{"".join(figures)}</div>' if figures else ""
    return f'<div class="finding"><p class="{finding.severity}">{text(capitalized(detail))}</p>{side_by_side}</div>\n'


def _image(name: str, file: str) -> str:
    try:
        source = thumbnail(_READ(file), _SIDE)
        image = f'<img alt="{text(name)}" src="data:image/jpeg;base64,{source}">'
    except ImageError as error:
        image = f"<p>{text(str(error.reason))}</p>"
    return f"<figure>{image}<figcaption>{text(name)}</figcaption></figure>"
