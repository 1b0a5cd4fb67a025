"""The rows of a run over very many images, of which a few thousand are different."""

import random
from pathlib import Path

import numpy as np

from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import open_sink

CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay")
_SIZE_HW, _BLOCKS_HW = (120, 160), (6, 8)


def write_many_answers(folder: Path, *, images: int, rows: int) -> Path:
    """Write `photos/`, further folders that are links to it, and `results.csv` with `rows` rows. Returns the latter."""
    numbers, chance = np.random.default_rng(0), random.Random(0)
    (folder / "photos0").mkdir()
    for image in range(images):
        blocks = numbers.integers(0, 256, (*_BLOCKS_HW, 3), dtype=np.uint8)
        pixels = blocks.repeat(_SIZE_HW[0] // _BLOCKS_HW[0], 0).repeat(_SIZE_HW[1] // _BLOCKS_HW[1], 1)
        (folder / "photos0" / f"{image:05}.jpg").write_bytes(encode_image(pixels, ".jpg", quality=80))
    for copy in range(1, -(-rows // images)):
        (folder / f"photos{copy}").symlink_to("photos0")
    with open_sink(str(folder / "results.csv")) as sink:
        for row in range(rows):
            copy, image = divmod(row, images)
            sink.write(_row(f"photos{copy}/{image:05}.jpg", chance))
    return folder / "results.csv"


def _row(path: str, chance: random.Random) -> Row:
    label, confidence, kind = chance.choice(CLASSES), round(chance.uniform(0.2, 1), 6), chance.random()
    height, width = _SIZE_HW
    if kind < 0.02:
        return Row(path, "error", error="truncated", detail="JPEG without its end")
    if kind < 0.1:
        return Row(path, "unsure", confidence=confidence / 2, guess=label, top={label: confidence / 2})
    return Row(path, "ok", label, confidence, {label: confidence}, width=width, height=height, size_bytes=4321)
