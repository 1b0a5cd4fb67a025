"""The confusion matrix as a table whose cells are buttons: a click shows their images in the gallery."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.results.html_page import text

STYLE = """
.confusion th { text-align: right; padding: .2rem .5rem; font-weight: 400; white-space: nowrap; border: 0;
  vertical-align: middle }
.confusion thead th { text-align: center }
.confusion tbody th { position: sticky; left: 0; background: var(--page) }
.confusion td { min-width: 3.2rem; padding: 1px; border: 0 }
.confusion button { width: 100%; height: 2.6rem; border: 0; border-radius: .3rem; font: inherit; color: inherit;
  cursor: pointer; background: color-mix(in srgb, var(--tone) calc(var(--share) * 55% + 8%), var(--card)) }
.confusion button:hover, .confusion button[aria-pressed=true] { outline: 2px solid var(--ink) }
.confusion .correct { --tone: #2f9e62 }
.confusion .wrong { --tone: #d9622b }
.confusion .none { --share: 0; background: var(--card); color: var(--soft); cursor: default }
@media (max-width: 40rem) {
  .confusion { font-size: .85rem; width: 100% }
  .confusion thead th + th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: .5rem .1rem }
  .confusion th { padding: .2rem; white-space: normal }
  .confusion td { min-width: 1.8rem }
  .confusion button { height: 2.2rem; padding: 0 }
}
"""


def confusion_table(confusion: NDArray[np.int64], classes: Sequence[str], *, opens_gallery: bool) -> str:
    """confusion: int64 `[classes, classes]`, true classes in rows. opens_gallery: whether the page has the images."""
    totals = confusion.sum(axis=1)
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in classes)
    rows = []
    for true, name in enumerate(classes):
        cells = (
            _cell(int(confusion[true, predicted]), int(totals[true]), (true, predicted), classes, opens_gallery)
            for predicted in range(len(classes))
        )
        rows.append(f'<tr><th scope="row">{text(name)}</th>{"".join(cells)}</tr>\n')
    corner = "<th>true class \u2193<br>answer \u2192</th>"
    return (
        f'<div class="scroll"><table class="confusion"><thead><tr>{corner}{head}</tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def _cell(count: int, total: int, place: tuple[int, int], classes: Sequence[str], opens_gallery: bool) -> str:
    true, predicted = place
    if not count:
        return '<td><button type="button" class="none" disabled>0</button></td>'
    kind = "correct" if true == predicted else "wrong"
    says = f"{plural(count, 'image')} of {classes[true]}, answered as {classes[predicted]}: {count / total:.0%}"
    disabled = "" if opens_gallery else " disabled"
    return (
        f'<td><button type="button" class="{kind}" style="--share:{count / total:.2f}" data-true="{true}" '
        f'data-predicted="{predicted}" title="{text(says)}"{disabled}>{count:,}</button></td>'
    )
