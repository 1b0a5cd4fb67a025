"""Runs `main` of a module in a process whose stdout is only for data: `python -m edgeclf.runtime.terminal.child MODULE ...`.

Stdout is prepared before the module is imported, because libraries print while they are imported, too.
"""

import sys
from importlib import import_module
from pathlib import Path

from edgeclf.runtime.terminal.streams import stdout_for_data_only, take_over_stdout


def child_command(module: str, *arguments: str | Path) -> list[str]:
    """The command line that runs `main` of `module`, which imports no modules from the current folder."""
    return [sys.executable, "-P", "-m", __name__, module, *map(str, arguments)]


if __name__ == "__main__":
    take_over_stdout()
    del sys.argv[0]
    with stdout_for_data_only():
        import_module(sys.argv[0]).main()
