"""What the tests of datasets share: counting splits, CSV files, and odd file names."""

from collections import Counter
from pathlib import Path

from edgeclf.train.data.dataset import Dataset, Split

ODD_NAMES = {
    "not utf-8": b"caf\xe9.png",
    "newline": b"two\nlines.png",
    "carriage return": b"back\rspace.png",
    "comma and quotes": b'a, "b".png',
    "backslash": b"back\\slash\\n.png",
    "formula": b"=1+1.png",
    "escape": b"\x1b[31mred.png",
    "utf-8": "naïve 猫 🐱.png".encode(),
}


def counts(dataset: Dataset) -> dict[str, int]:
    """The number of images in each split."""
    return {name: len(split) for name, split in dataset.splits().items()}


def per_class(split: Split) -> list[int]:
    """The number of images in each class that the split has."""
    return [count for _, count in sorted(Counter(split.labels).items())]


def write_csv(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def rows_of(root: Path) -> list[str]:
    """A row for every image below `root`, with its class folder as the label."""
    return [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.rglob("*.png"))]
