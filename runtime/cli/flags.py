"""For the length of a move: see `edgeclf.runtime.terminal.flags`."""

from edgeclf.runtime.terminal.commands import SectionedCommand as SectionedCommand
from edgeclf.runtime.terminal.flags import Text as Text
from edgeclf.runtime.terminal.flags import takes as takes
