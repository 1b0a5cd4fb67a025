"""What sorting did with one file: written to the journal before it is done, read by `clf-run undo`."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

Moving = Literal["copy", "move", "link"]


@dataclass(frozen=True, slots=True)
class SortedFile:
    """source, target: absolute paths. size_bytes, mtime_ns: of the source; -1 where nothing is known of it.

    made: how many of the folders that `target` lies in were not there before, counted from the innermost.
    """

    how: Moving
    source: str
    target: str
    size_bytes: int = -1
    mtime_ns: int = -1
    made: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        made = {"made": self.made} if self.made else {}
        paths = {"how": self.how, "from": self.source, "to": self.target}
        return paths | {"size": self.size_bytes, "mtime_ns": self.mtime_ns} | made

    @classmethod
    def from_json(cls, fields: object) -> "SortedFile | None":
        """The inverse of `to_json`; None for anything else, because a journal has lines of other kinds."""
        if not isinstance(fields, dict) or fields.get("how") not in get_args(Moving):
            return None
        source, target = fields.get("from"), fields.get("to")
        if not isinstance(source, str) or not isinstance(target, str):
            return None
        return cls(fields["how"], source, target, fields.get("size", -1), fields.get("mtime_ns", -1), fields.get("made", 0))
