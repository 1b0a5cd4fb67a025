"""What sorting did with one file: written to the journal before it is done, and read by `clf-run undo`."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

SortAction = Literal["copy", "move", "link"]


@dataclass(frozen=True, slots=True)
class SortedFile:
    """source, target: absolute paths. size_bytes, mtime_ns: of the source; -1 if unknown.

    new_folders: how many of the folders that contain `target` did not exist before, counted from the innermost.
    """

    action: SortAction
    source: str
    target: str
    size_bytes: int = -1
    mtime_ns: int = -1
    new_folders: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        made = {"made": self.new_folders} if self.new_folders else {}
        paths = {"how": self.action, "from": self.source, "to": self.target}
        return paths | {"size": self.size_bytes, "mtime_ns": self.mtime_ns} | made

    @classmethod
    def from_json(cls, fields: object) -> "SortedFile | None":
        """The inverse of `to_json`; None for anything else, because a journal also has lines of other kinds."""
        if not isinstance(fields, dict) or fields.get("how") not in get_args(SortAction):
            return None
        source, target = fields.get("from"), fields.get("to")
        if not isinstance(source, str) or not isinstance(target, str):
            return None
        return cls(
            action=fields["how"],
            source=source,
            target=target,
            size_bytes=fields.get("size", -1),
            mtime_ns=fields.get("mtime_ns", -1),
            new_folders=fields.get("made", 0),
        )
