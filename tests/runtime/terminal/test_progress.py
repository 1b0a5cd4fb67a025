"""A progress bar that adds up, and that stays silent where it would be noise."""

import pytest

from edgeclf.runtime.terminal.progress import Progress


def test_progress_counts_what_is_done() -> None:
    with Progress("reading", 3) as progress:
        progress.advance()
        progress.advance(2)

    assert (progress.done, progress.total) == (3, 3)


def test_progress_without_a_terminal_is_quiet_for_a_short_step(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 3) as progress:
        progress.advance(3)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("total", "line"), [(1, "reading: 1 of 1 frame"), (2, "reading: 1 of 2 frames"), (None, "reading: 1 frame")], ids=str
)
def test_a_line_has_the_noun_that_goes_with_its_number(
    total: int | None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("reading", total, "frame", every_s=0) as progress:
        progress.advance()

    assert capsys.readouterr().err.split(",")[0].rstrip("\n") == line
