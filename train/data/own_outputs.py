"""Folders among the images that edgeclf itself has written: a training's run, a report, a preview, sorted images."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from unicodedata import normalize

from edgeclf.runtime.results.row import NO_LABEL
from edgeclf.runtime.results.sorting import folder_name
from edgeclf.runtime.sources.folders import is_image, list_folder, walk
from edgeclf.train.data.run_files import FIGURES, RUN_FILES, SHEET_NAME

_SIGNS = frozenset({"model.keras", "checkpoint.npz", "bench.json", *RUN_FILES}) - set(FIGURES)
"""A folder with one of these has been written by edgeclf."""
_SHEET = re.compile(re.escape(SHEET_NAME).replace(r"\.", r"(-\d+)?\."))
_FIGURES = frozenset({"pareto.png", *FIGURES})
_UNPACKED = f"{os.sep}images{os.sep}"


class OwnOutputs:
    """Tells images that edgeclf has written from other images. Each folder is looked at once."""

    def __init__(self) -> None:
        self._is_run: dict[str, bool] = {}
        self._is_output: dict[str, bool] = {}

    def folder_of(self, image: str, top: str) -> str | None:
        """The folder, `top` or one below it, into which edgeclf has written this image; None for any other image.

        Written are the figures beside the files of a run, the sheet of a preview, and the images that a training has
        unpacked from an archive into its run folder.
        """
        folder, name = os.path.split(image)
        if _SHEET.fullmatch(name) or (name in _FIGURES and self._holds_run(folder)):
            return folder
        position = image.find(_UNPACKED, len(top))
        while position >= 0:
            if self._holds_run(image[:position]):
                return image[:position]
            position = image.find(_UNPACKED, position + 1)
        return None

    def is_output(self, folder: str) -> bool:
        """Whether edgeclf has written into this folder, or below it, and there are no other images."""
        if folder not in self._is_output:
            self._is_output[folder] = self._look_into(folder)
        return self._is_output[folder]

    def _look_into(self, folder: str) -> bool:
        is_ours = False
        for path, may_be_image in walk(folder):
            if may_be_image and self.folder_of(path, folder) is None:
                return False
            is_ours = is_ours or may_be_image or os.path.basename(path) in _SIGNS
        return is_ours

    def _holds_run(self, folder: str) -> bool:
        if folder not in self._is_run:
            self._is_run[folder] = any(os.path.isfile(os.path.join(folder, name)) for name in _SIGNS)
        return self._is_run[folder]


def is_sorted_output(folder: Path, classes: Iterable[str]) -> bool:
    """Whether this looks like what `clf-run --sort` or `--save-unsure` fills: folders named like classes, no images."""
    listing = list_folder(str(folder), follow_links=True)
    if listing is None or any(map(is_image, listing.names)):
        return False
    names = {normalize("NFC", name) for name in listing.folders}
    return bool(names) and names <= {normalize("NFC", folder_name(normalize("NFC", name))) for name in classes} | {*NO_LABEL}
