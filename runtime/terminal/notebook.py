"""What a notebook shows: progress as one line that is updated in place, and values as small tables.

IPython is only used where it runs already. Colours and sizes are those of the page around, light or dark.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape as escape_html
from typing import Any

from edgeclf.runtime.terminal.escaping import one_line

_lines: dict[str, Any] = {}
"""The line of the present cell, by the cell's number."""


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook. It then has no terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def update_line(text: str) -> None:
    """Show the text in the line that the present cell has for its progress."""
    from IPython import get_ipython
    from IPython.display import display

    cell = str(get_ipython().execution_count)
    shown = {"text/plain": text}
    if cell in _lines:
        _lines[cell].update(shown, raw=True)
    else:
        _lines.clear()
        _lines[cell] = display(shown, raw=True, display_id=True)


@contextmanager
def native_output_hidden() -> Iterator[None]:
    """In a notebook, hide what native libraries print meanwhile, such as TensorFlow: it means nothing to users.

    Python itself prints by another way there. EDGECLF_VERBOSE=1 hides nothing.
    """
    if not in_notebook() or os.environ.get("EDGECLF_VERBOSE"):
        yield
        return
    own, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


def as_html(text: object) -> str:
    """Any text, with what does not print or is not UTF-8 written out."""
    return escape_html(one_line(str(text)))


def table_html(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """Names and values, one pair a row."""
    left = "text-align:left"
    head = f'<thead><tr><th colspan="2" style="{left}">{as_html(title)}</th></tr></thead>'
    cells = (
        f'<tr><td style="{left};opacity:.7">{as_html(name)}</td><td style="{left}">{as_html(value)}</td></tr>'
        for name, value in rows
    )
    return f'<table style="color:inherit">{head}{"".join(cells)}</table>'
