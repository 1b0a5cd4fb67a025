"""A sheet of augmented images, to look at before training."""

from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import Split
from edgeclf.train.data.run_files import SHEET_NAME
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.preparation import find_images
from edgeclf.train.quiet import load_keras

IMAGES = 8
VARIANTS = 7
_GAP = 4


def preview(config: TrainingConfig, folder: Path) -> Path:
    """Write a sheet of IMAGES augmented training images to `folder`. Returns its path."""
    split = find_images(config, folder).train
    chosen = np.unique(np.linspace(0, len(split) - 1, IMAGES).astype(int))
    spread = Split(tuple(split.paths[i] for i in chosen), tuple(split.labels[i] for i in chosen))
    images = load(spread, config.preprocess, "preview")
    return write_sheet(images, config.recipe.augmentation, config.recipe.seed, folder)


def write_sheet(images: Arrays, augmentation: Augmentation, seed: int, folder: Path) -> Path:
    """One row per image: first as it is, then VARIANTS augmented versions. No file is overwritten. Raises OutputError."""
    rows = [images.images]
    if augmentation.is_nothing:
        rows *= VARIANTS + 1
    else:
        load_keras()
        change = augmentation.build(seed)
        rows += [np.asarray(change(images.images.astype(np.float32), training=True)) for _ in range(VARIANTS)]
    columns = [np.clip(np.rint(row), 0, 255).astype(np.uint8) for row in rows]
    make_folder(folder)
    stem, suffix = SHEET_NAME.split(".")
    names = (f"{stem}-{number}.{suffix}" if number > 1 else SHEET_NAME for number in count(1))
    path = next(folder / name for name in names if not (folder / name).exists())
    publish_bytes(path, _encode(_tile(np.stack(columns, axis=1))))
    return path


def _tile(grid: Pixels) -> Pixels:
    """uint8 `[rows, columns, H, W, C]` to one image `[h, w, C]`, with white gaps."""
    spaced: NDArray[np.uint8] = np.pad(grid, ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    rows, columns, height, width, channels = spaced.shape
    return spaced.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def _encode(sheet: Pixels) -> bytes:
    try:
        return encode_image(sheet, ".png")
    except ValueError as error:
        raise ModelError(f"the sheet cannot be saved: {error}; try a smaller --imgsz") from None
