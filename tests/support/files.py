"""The content of test files, and what a folder holds."""

from pathlib import Path

CONTENT = b"an image" * 1000
OTHER = b"different" * 1000
MTIME_NS = 1_700_000_000_123_456_789


def files(folder: Path) -> list[str]:
    """The paths of all files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
