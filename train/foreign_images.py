"""Images that a model must not know, for `clf-train evaluate --against-unknown`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import DatasetError, ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.sources.folders import walk
from edgeclf.train.any_model import AnyModel
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import as_split
from edgeclf.train.results.separation import separation


def load_foreign(folder: Path, preprocess: Preprocess, known: Iterable[str]) -> Arrays:
    """All images of a folder and its sub-folders. known: paths of images of the classes, such as those of the training.

    Raises DatasetError if the folder holds one of them, or no images.
    """
    if not folder.is_dir():
        raise DatasetError(f"--against-unknown {folder} is not a folder; name one with images that belong to no class")
    paths = sorted(path for path, is_image in walk(str(folder)) if is_image)
    if not paths:
        raise DatasetError(f"--against-unknown {folder} holds no images; name a folder with images that belong to no class")
    taught = {os.path.realpath(path) for path in known}
    if shared := sum(os.path.realpath(path) in taught for path in paths):
        problem = f"--against-unknown {folder} holds {shared:,} of the images that the model knows"
        raise DatasetError(f"{problem}; name a folder with images that belong to no class")
    return load(as_split([(path, 0) for path in paths]), preprocess, "foreign")


def measure_separation(opened: AnyModel, model: Path, known: Pixels, foreign: Pixels) -> dict[str, Any]:
    """As `separation`, from images, uint8 `[N, H, W, C]`. Raises ModelError for a model that cannot tell what is unknown."""
    of_known = opened.novelties(known)
    of_foreign = None if of_known is None else opened.novelties(foreign)
    if of_known is None or of_foreign is None:
        cure = "train it again with clf-train, and export it"
        raise ModelError(f"{model} cannot tell which images are unknown, because it has no novelty score; {cure}")
    return separation(of_known, of_foreign)
