"""The files that a run with `--sort` leaves."""

import json
from pathlib import Path
from typing import Any

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sorting import Sorter
from tests.support.files import CONTENT

HEADER = {"edgeclf_journal": 2, "fingerprint": {"model": "0"}}


class SortedRun:
    """The files that a run with `--sort` leaves in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "results.csv.journal"
        self.journal.write_text(json.dumps(HEADER) + "\n")

    def put(self, path: str, content: bytes = CONTENT) -> Path:
        file = self.folder / "in" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def sort(self, mode: Any, *paths: str, killed: bool = False) -> list[Path]:
        """Sort images and return their paths. killed: only write the journal."""
        sorter = Sorter(mode, self.folder / "sorted")
        frames = [self.frame(path) for path in paths]
        places = [sorter.destination(frame, Row(frame.name, "ok", "cat")) for frame in frames]
        for frame, place in zip(frames, places, strict=True):
            self.write({"path": frame.path, "status": "ok", "sorted": sorter.journal_fields(frame, place)})
        for frame, place in zip(frames, places, strict=True):
            killed or sorter.perform(frame, place)
        return [Path(place) for place in places]

    def frame(self, path: str) -> Frame:
        file = self.put(path)
        return Frame(str(file), str(file), path, size_bytes=len(CONTENT), mtime_ns=file.stat().st_mtime_ns)

    def write(self, line: object) -> None:
        with open(self.journal, "a", encoding="ascii") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def files(self) -> list[str]:
        below = [path for path in self.folder.rglob("*") if not path.is_dir() or not any(path.iterdir())]
        return sorted(str(path.relative_to(self.folder)) for path in below if path.suffix != ".journal")
