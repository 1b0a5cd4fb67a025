"""The HTML of all reports: one page that opens from the disk, loads nothing else, and follows the reader's light or dark
mode.

All text from outside is escaped by `text`. Writing a page needs neither a figure library nor an inference engine.
"""

import base64
import html
from collections.abc import Collection, Iterable, Mapping, Sequence

from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.version import __version__

DOTS_PER_INCH = 144
"""Resolution of the figures. They look sharp on screens of up to 144 dots per inch."""
_SCREEN_DOTS_PER_INCH = 96  # in CSS

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5d666f; --line: #d8dde2; --page: #ffffff; --card: #f4f6f8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --soft: #9aa4ae; --line: #353c44; --page: #14171a; --card: #1d2227 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem }
.lead { font-size: 1.15rem; background: var(--card); border-radius: .5rem; padding: 1rem; margin: 0 }
.warning { border-left: .4rem solid #d9822b; padding: .5rem 1rem; margin: 0 0 1rem; font-weight: 600 }
.scroll { overflow-x: auto; margin: .75rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 500; white-space: nowrap }
td { min-width: 7rem; max-width: 36rem }
.number { text-align: right; white-space: nowrap; min-width: 2rem }
img { display: block; max-width: 100%; height: auto }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem }
.figures figure { margin: 0 }
figcaption { color: var(--soft); font-size: .9rem; margin: .25rem 0 }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="edgeclf {version}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{head}{sections}</main>
</body>
</html>
"""


def page(title: str, head: str, sections: Mapping[str, str], style: str = "") -> str:
    """A whole page. title: unescaped text. head: markup. sections: markup by heading; empty sections are left out.

    style: CSS rules in addition to those that every page has.
    """
    return _PAGE.format(
        title=text(title),
        version=__version__,
        style=_STYLE + style,
        head=head,
        sections="".join(f"<section>\n<h2>{text(name)}</h2>\n{body}</section>\n" for name, body in sections.items() if body),
    )


def lead(sentence: str) -> str:
    """The most important sentence of a page, from unescaped text."""
    return f'<p class="lead">{text(sentence)}</p>\n'


def warnings(sentences: Iterable[str]) -> str:
    """Warnings for the top of a page, from unescaped sentences without their full stop."""
    return "".join(f'<p class="warning">Warning: {text(sentence)}.</p>\n' for sentence in sentences)


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], numbers: Iterable[int] = (), marked: Collection[int] = ()
) -> str:
    """A table of unescaped text. numbers: the columns to align right. marked: the rows that get the class `marked`."""
    if not rows:
        return ""
    kinds = [' class="number"' if column in set(numbers) else "" for column in range(len(rows[0]))]
    lines = [_row("th", kinds, header)] if header else []
    lines += [_row("td", kinds, row, ' class="marked"' if number in marked else "") for number, row in enumerate(rows)]
    return f'<div class="scroll"><table>\n{"".join(lines)}</table></div>\n'


def pairs(values: Mapping[str, object]) -> str:
    """A table of two columns: names and values."""
    return table((), [(readable(name), cell_text(value)) for name, value in values.items() if value is not None])


def capitalized(sentence: str) -> str:
    """The same with a capital letter in front; the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]


def readable(name: str) -> str:
    """The name of a value for people.

    >>> readable("test_accuracy")
    'test accuracy'
    """
    return name.replace("_", " ")


def paragraph(sentences: str) -> str:
    """A paragraph of unescaped text."""
    return f"<p>{text(sentences)}</p>\n"


def bullets(sentences: Iterable[str]) -> str:
    """A bulleted list of unescaped text, or nothing without any."""
    points = "".join(f"<li>{text(sentence)}</li>\n" for sentence in sentences)
    return f"<ul>\n{points}</ul>\n" if points else ""


def figure(png: bytes, description: str) -> str:
    """A PNG of DOTS_PER_INCH, embedded in the page at the size that it was drawn for, or smaller to be seen whole."""
    width = int.from_bytes(png[16:20]) * _SCREEN_DOTS_PER_INCH // DOTS_PER_INCH
    source = base64.b64encode(png).decode("ascii")
    image = f'<img width="{width}" alt="{text(description)}" src="data:image/png;base64,{source}">'
    return f"<figure>{image}<figcaption>{text(description)}</figcaption></figure>\n"


def cell_text(value: object) -> str:
    """A value as the text of one cell: None is empty, several values are separated by commas."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{readable(name)} {cell_text(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(cell_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def text(anything: str) -> str:
    """Text from outside, escaped: it is printable and contains no markup."""
    return html.escape(escape(anything))


def _row(tag: str, kinds: Sequence[str], values: Sequence[object], mark: str = "") -> str:
    cells = (f"<{tag}{kind}>{text(str(value))}</{tag}>" for kind, value in zip(kinds, values, strict=True))
    return f"<tr{mark}>{''.join(cells)}</tr>\n"
