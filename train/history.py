"""`history.csv`: learning rate, loss and accuracy of each epoch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from edgeclf.runtime.storage.atomic_write import publish_text

HISTORY_NAME = "history.csv"
COLUMNS = ("stage", "epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")


def write_history(rows: Sequence[dict[str, float | str]], path: Path) -> None:
    """Write one row per epoch, with COLUMNS. Epochs count from 1 over all stages."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: round(v, 6) if isinstance(v, float) else v for name, v in row.items()} for row in rows)
    publish_text(path, text.getvalue())


def read_history(path: Path) -> list[dict[str, str]]:
    """The rows of `history.csv`, with every value as text."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
