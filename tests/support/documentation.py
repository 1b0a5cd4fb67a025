"""The README and the pages in `docs/` as what a reader would type: their commands, in order."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CELL_COMMAND = re.compile(r"`(clf-[a-z]+ [^`]+)`")


@dataclass(frozen=True)
class Command:
    """text: without its comment. language: that of its block, `python` or `` for a shell."""

    text: str
    comment: str = ""
    language: str = ""


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    text: str
    language: str = ""

    def commands(self) -> list[Command]:
        if self.language == "python":
            nodes = ast.parse(self.text).body
            return [Command(ast.get_source_segment(self.text, node) or "", "", "python") for node in nodes]
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        parts = (re.split(r"(?:^|\s)# ", line, maxsplit=1) for line in lines)
        return [Command(part[0].strip(), "".join(part[1:])) for part in parts if part[0].strip()]


def read(page: str) -> list[Block]:
    """The blocks of a page, and each command in a cell of a table as a block of its own, in order."""
    text = (ROOT / page).read_text("utf-8")
    found = [(match.start(), Block(match[2], match[1])) for match in _FENCED.finditer(text)]
    for row in re.finditer(r"^\|.*", text, re.MULTILINE):
        found += [(row.start() + cell.start(), Block(cell[1])) for cell in _CELL_COMMAND.finditer(row[0])]
    return [block for _, block in sorted(found, key=lambda one: one[0])]
