"""A prediction in a notebook: the image, if it is at hand, and a bar for each of the most probable classes."""

from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from edgeclf.runtime.errors import ImageError, OptionError
from edgeclf.runtime.images.decode import Checks, Pixels, decode
from edgeclf.runtime.images.encode import to_jpeg
from edgeclf.runtime.images.pil_image import is_pil_image, pixels_of
from edgeclf.runtime.images.preprocess import AnyImage, read_bytes
from edgeclf.runtime.terminal.notebook import as_html
from edgeclf.runtime.terminal.plural import plural

_SIDE, _QUALITY = 160, 80


def prediction_html(best: Sequence[tuple[str, float]], others: int, image: AnyImage | None) -> str:
    """A fragment of a page, in its colours. best: classes with their scores. others: how many are left."""
    bars = "".join(_bar(label, score) for label, score in best)
    rest = f'<tr><td colspan="3">and {plural(others, "other class")}</td></tr>' if others > 0 else ""
    style = "display:flex;flex-wrap:wrap;gap:1em;align-items:center"
    return f'<div style="{style}">{_thumbnail(image)}<table style="color:inherit">{bars}{rest}</table></div>'


def _bar(label: str, score: float) -> str:
    bar = f'<div style="width:{score:.1%};height:.8em;background:currentColor;opacity:.6"></div>'
    name, share = f'<td style="text-align:left">{as_html(label)}</td>', f'<td style="text-align:right">{score:.1%}</td>'
    return f'<tr>{name}<td style="width:12em;min-width:12em">{bar}</td>{share}</tr>'


def _thumbnail(image: AnyImage | None) -> str:
    """Empty if there is no image any more."""
    with suppress(ImageError, OptionError):
        jpeg = b"" if image is None else to_jpeg(_pixels(image), _SIDE, _QUALITY)
        if jpeg:
            return f'<img alt="the image" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}">'
    return ""


def _pixels(image: AnyImage) -> Pixels:
    if is_pil_image(image):
        image = pixels_of(image, "white")
    if isinstance(image, np.ndarray):
        return image
    data = read_bytes(image)  # type: ignore[arg-type]  # not one of Pillow
    return decode(data, Checks().header_of(data), 3)
