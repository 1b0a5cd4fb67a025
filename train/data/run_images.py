"""The images that a run was trained on, for commands that suggest what to try its model on."""

import json
import os
from pathlib import Path

from edgeclf.runtime.sources.archives import is_archive
from edgeclf.train.data.run_files import OPTIONS_NAME

PLACEHOLDER = "photos/"
"""What to show where no images are known."""


def images_to_try(run_folder: Path) -> Path | str:
    """The folder or the archive that a run was trained on, as seen from the current folder; PLACEHOLDER if it is gone."""
    try:
        data = Path(json.loads((run_folder / OPTIONS_NAME).read_text("utf-8", "surrogateescape"))["data"])
        is_source = data.is_dir() or (data.is_file() and is_archive(data))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return PLACEHOLDER
    if not is_source:
        return PLACEHOLDER
    here = Path(os.getcwd())
    return data.relative_to(here) if data.is_relative_to(here) and data != here else data
