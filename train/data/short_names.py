"""Names of images for people, and for comparing data sets that lie in different places."""

import os
from collections.abc import Iterable


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Each path below the folder that all have in common; on Windows, absolute ones if they are on several drives."""
    absolute = {path: os.path.abspath(path) for path in paths}
    try:
        top = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    except ValueError:  # no path at all, or several drives
        return absolute
    return {path: os.path.relpath(full, top) for path, full in absolute.items()}
