"""Images beside their heatmaps, for the report."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.drawing.heatmap import lay_over
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.occlusion import GRID
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import Evaluation
from edgeclf.train.results.html_page import paragraph, text
from edgeclf.train.results.thumbnail import thumbnail

_SIDE = 192
"""The longer side of an image in pixels."""
_READ = (
    "Each image is beside its heatmap, the worst mistakes first, then some right answers: yellow speaks most for the answer "
    "in this image, dark blue least. Look for answers that come from the background."
)
_EXACT = "The maps are what each place adds to the score of the answer (class activation maps)."
_OCCLUSION = (
    "The maps say how much less probable the answer becomes when a place is covered with grey "
    f"(occlusion, {GRID} by {GRID} places)."
)
STYLE = """
.heatmaps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem }
.heatmaps figure { margin: 0 }
.heatmaps span { display: grid; grid-template-columns: 1fr 1fr; gap: .25rem }
.heatmaps img { width: 100%; border-radius: .4rem }
.heatmaps b { color: var(--ink) }
.heatmaps .wrong b { color: #d9622b }
"""


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """heats: float32 `[h, w]` of the answer, by the image's position in the evaluation. is_exact: not by occlusion."""

    heats: Mapping[int, NDArray[np.float32]]
    is_exact: bool


def heatmap_figures(maps: Heatmaps, evaluation: Evaluation, images: Arrays) -> str:
    """The markup: images as the network saw them, beside their heatmaps. Empty if there are none."""
    if not maps.heats:
        return ""
    figures = "".join(_figure(position, heat, evaluation, images) for position, heat in maps.heats.items())
    says = f"{_READ} {_EXACT if maps.is_exact else _OCCLUSION}"
    return f'{paragraph(says)}<div class="heatmaps">\n{figures}</div>\n'


def _figure(position: int, heat: NDArray[np.float32], evaluation: Evaluation, images: Arrays) -> str:
    image = _as_rgb(np.asarray(images.images[position]))
    row, truth = evaluation.probabilities[position], int(evaluation.labels[position])
    answer = int(row.argmax())
    name = os.path.basename(images.paths[position]) if images.paths else ""
    pair = _image(image, name) + _image(lay_over(image, heat, Preprocess(_size(image))), f"heatmap of {name}")
    says = f"<b>{text(evaluation.classes[answer])} {row[answer]:.1%}</b>"
    if answer != truth:
        says += f" true: {text(evaluation.classes[truth])}"
    kind = "correct" if answer == truth else "wrong"
    return f'<figure class="{kind}"><span>{pair}</span><figcaption>{says}<br>{text(name)}</figcaption></figure>\n'


def _image(image: Pixels, name: str) -> str:
    return f'<img alt="{text(name)}" src="data:image/jpeg;base64,{thumbnail(image, _SIDE)}">'


def _as_rgb(image: Pixels) -> Pixels:
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


def _size(image: Pixels) -> tuple[int, int]:
    height, width = image.shape[:2]
    return height, width
