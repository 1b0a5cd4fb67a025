"""Programs that are run when a label comes up."""

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.hooks import Hook, Hooks, parse_hook
from edgeclf.runtime.results.row import Row

CAT = Row("webcam#frame=7", "ok", "cat", 0.9, {"cat": 0.9}, time="2026-01-02T03:04:05.678Z")
DOG = Row("webcam#frame=8", "ok", "dog", 0.8)
UNSURE = Row("webcam#frame=9", "unsure", "", 0.4)
LOST = Row("webcam", "error", error="lost", detail="read error")


class Told:
    """What a hook's program, a real shell script, was told; and a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.file = folder / "told.txt"
        self._script = folder / "hook.sh"
        self.write('printf "%s %s %s\\n" "$CLF_LABEL" "$CLF_CONFIDENCE" "$CLF_SOURCE" >> "$OUT"')

    def write(self, line: str) -> None:
        self._script.write_text(f'#!/bin/sh\nOUT="{self.file}"\n{line}\n')
        self._script.chmod(0o755)

    def hooks(self, label: str, every_s: float = 10.0) -> Hooks:
        return Hooks([Hook(label, (str(self._script),))], every_s, report=self.said.append, now=lambda: self.now)

    def play(self, hooks: Hooks, *rows: Row, source: str = "webcam") -> None:
        """A row a second; each program ends before the next one."""
        for row in rows:
            hooks.tell(source, row)
            hooks.close()
            self.now += 1

    @property
    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_the_program_is_told_the_answer(told: Told) -> None:
    told.play(told.hooks("cat"), CAT)
    assert told.lines == ["cat 0.900000 webcam"]


def test_the_whole_row_is_there_as_json(told: Told) -> None:
    told.write('printf "%s\\n" "$CLF_ROW" > "$OUT"')
    told.play(told.hooks("cat"), CAT)
    assert json.loads(told.lines[0]) == CAT.to_json()


def test_it_runs_once_for_as_long_as_the_label_stays(told: Told) -> None:
    told.play(told.hooks("cat", 0.0), *[CAT] * 20)
    assert len(told.lines) == 1


def test_it_runs_each_time_that_the_label_comes_up(told: Told) -> None:
    told.play(told.hooks("cat", 0.0), CAT, DOG, CAT, UNSURE, CAT)
    assert len(told.lines) == 3


def test_it_rests_between(told: Told) -> None:
    told.play(told.hooks("cat", 10.0), *[CAT, DOG] * 5)
    assert len(told.lines) == 1


def test_a_label_that_comes_up_meanwhile_and_stays_is_told_afterwards(told: Told) -> None:
    told.play(told.hooks("cat", 10.0), CAT, DOG, *[CAT] * 10)
    assert len(told.lines) == 2


def test_another_label_is_not_its_business(told: Told) -> None:
    told.play(told.hooks("cat"), DOG, UNSURE, LOST)
    assert told.lines == []


def test_unsure_is_a_label_too(told: Told) -> None:
    told.play(told.hooks("unsure"), CAT, UNSURE)
    assert told.lines == ["unsure 0.400000 webcam"]


def test_a_star_is_any_label_but_no_camera_that_is_lost(told: Told) -> None:
    told.play(told.hooks("*", 0.0), CAT, LOST, DOG, UNSURE)
    assert [line.split()[0] for line in told.lines] == ["cat", "dog", "unsure"]


def test_each_source_has_labels_of_its_own(told: Told) -> None:
    hooks = told.hooks("cat", 0.0)
    told.play(hooks, CAT, source="left")
    told.play(hooks, CAT, source="right")
    told.play(hooks, CAT, source="left")
    assert [line.split()[-1] for line in told.lines] == ["left", "right"]


@pytest.mark.parametrize("label", ["$(touch owned)", "`touch owned`", "; touch owned", "a\nb", "a\0b", "caf\udce9"])
def test_no_label_is_read_by_a_shell(told: Told, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told.play(told.hooks(label), Row("webcam", "ok", label, 0.5))
    assert len(told.lines) == 1
    assert not (tmp_path / "owned").exists()


def test_a_program_that_fails_is_reported_once(told: Told) -> None:
    told.write("exit 3")
    hooks = told.hooks("cat", 0.0)
    told.play(hooks, *[CAT, DOG] * 4)
    assert [line.partition(":")[0] for line in told.said] == ["--on-label cat"]
    assert told.said[0].endswith("hook.sh ended with exit code 3")


def test_a_program_that_has_gone_is_reported_and_the_run_goes_on(told: Told, tmp_path: Path) -> None:
    hooks = told.hooks("cat")
    (tmp_path / "hook.sh").unlink()
    told.play(hooks, CAT, DOG)
    assert told.said[0].endswith("hook.sh cannot be run: No such file or directory")


def test_the_run_does_not_wait_for_it(told: Told, until: Callable[[Callable[[], bool]], None]) -> None:
    told.write('while [ ! -e "$OUT.go" ]; do sleep 0.02; done; echo done >> "$OUT"')
    hooks = told.hooks("cat", 0.0)
    for row in [CAT, DOG] * 100:
        hooks.tell("webcam", row)
    assert told.lines == []
    Path(f"{told.file}.go").touch()
    until(lambda: told.lines == ["done"])  # one of them at a time
    hooks.close()


def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(
    told: Told, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    told.write('sleep 600 & echo $! > "$OUT"; wait')
    hooks = told.hooks("cat", 0.0)
    hooks.tell("webcam", CAT)
    until(lambda: bool(told.lines))
    told.now = 61.0
    hooks.tell("webcam", DOG)
    assert told.said[0].endswith("hook.sh took longer than 60 s and was stopped")
    until(lambda: not _runs(int(told.lines[0])))


def test_it_is_stopped_also_while_there_is_nothing_to_tell(told: Told, until: Callable[[Callable[[], bool]], None]) -> None:
    told.write("sleep 600")
    hooks = told.hooks("cat", 0.0)
    hooks.tell("webcam", CAT)
    told.now = 61.0
    hooks.look_after()
    assert told.said[0].endswith("hook.sh took longer than 60 s and was stopped")


def test_an_impatient_user_leaves_no_program_behind(
    told: Told, monkeypatch: pytest.MonkeyPatch, until: Callable[[Callable[[], bool]], None]
) -> None:
    told.write('sleep 600 & echo $! > "$OUT"; wait')
    hooks = told.hooks("cat")
    hooks.tell("webcam", CAT)
    until(lambda: bool(told.lines))
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        hooks.close()
    until(lambda: not _runs(int(told.lines[0])))


def test_a_class_called_like_a_status_is_another_label(told: Told) -> None:
    told.play(told.hooks("*", 0.0), Row("webcam", "ok", "unsure", 0.9), UNSURE)
    assert len(told.lines) == 2


def _runs(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_longest_label_that_fits_is_meant() -> None:
    assert parse_hook("a:b:ls -l 'x y'", ["a", "a:b"]) == Hook("a:b", ("ls", "-l", "x y"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bird:ls", "begins with no label and a colon; labels are cat, dog, unsure, and \\* for all"),
        ("cat", "begins with no label and a colon"),
        ("cat:", "there is no program ''"),
        ("cat:./no-such-program", "there is no program './no-such-program' that may be run"),
        ("cat:ls 'x", "cannot be read as a command: No closing quotation"),
    ],
)
def test_what_cannot_be_run_is_said_at_the_start(text: str, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        parse_hook(text, ["cat", "dog"])


def test_a_program_that_may_not_be_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook.sh").write_text("#!/bin/sh\n")
    with pytest.raises(OptionError, match=r"chmod \+x it"):
        parse_hook(f"cat:{tmp_path}/hook.sh", ["cat"])


def test_closing_stops_what_still_runs(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.runtime.live.hooks._LAST_S", 0.2)
    told.write("sleep 600")
    hooks = told.hooks("cat")
    hooks.tell("webcam", CAT)
    started = time.monotonic()
    hooks.close()
    assert time.monotonic() - started < 60
