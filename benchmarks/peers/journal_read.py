"""The journal of `clf-run` by itself, once the run is over: its rows are read back for the output."""

import atexit
from contextlib import ExitStack
from pathlib import Path

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.journal import PREFIX, fill, night
from edgeclf.runtime.results.journal import JournalOptions, open_journal


def prepare(folder: Path) -> Run:
    stack = ExitStack()
    atexit.register(stack.close)
    journal = stack.enter_context(open_journal(folder / "clf-run.journal", {}, [PREFIX], JournalOptions(restart=True)))
    fill(journal, *night())
    return lambda: [0 for _ in journal.rows()]
