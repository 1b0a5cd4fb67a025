"""Programs that run when a label appears."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.hooks import Hook, Hooks, parse_hook
from edgeclf.runtime.results.row import Row
from tests.support.outputs import cells

Until = Callable[[Callable[[], bool]], None]
CAT = Row("webcam#frame=7", "ok", "cat", 0.9, {"cat": 0.9}, time="2026-01-02T03:04:05.678Z")
DOG = Row("webcam#frame=8", "ok", "dog", 0.8)
UNSURE = Row("webcam#frame=9", "unsure", "", 0.4)
LOST = Row("webcam", "error", error="lost", detail="read error")


class HookScript:
    """A hook's program, a real shell script, with the lines that it wrote and a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.reports: list[str] = []
        self.file = folder / "script.txt"
        self._path = folder / "hook.sh"
        self.write('printf "%s %s %s\\n" "$CLF_LABEL" "$CLF_CONFIDENCE" "$CLF_SOURCE" >> "$OUT"')

    def write(self, line: str) -> None:
        self._path.write_text(f'#!/bin/sh\nOUT="{self.file}"\n{line}\n')
        self._path.chmod(0o755)

    def hooks(self, label: str, every_s: float = 10.0) -> Hooks:
        return Hooks([Hook(label, (str(self._path),))], every_s, report=self.reports.append, now=lambda: self.now)

    def pass_rows(self, hooks: Hooks, *rows: Row, source: str = "webcam") -> None:
        """Pass one row a second; each program ends before the next row."""
        for row in rows:
            hooks.update(source, row)
            hooks.close()
            self.now += 1

    @property
    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def script(tmp_path: Path) -> HookScript:
    return HookScript(tmp_path)


def test_the_program_gets_the_answer(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat"), CAT)
    assert script.lines == ["cat 0.900000 webcam"]


def test_the_program_gets_the_whole_row_as_json(script: HookScript) -> None:
    script.write('printf "%s\\n" "$CLF_ROW" > "$OUT"')
    script.pass_rows(script.hooks("cat"), CAT)
    assert json.loads(script.lines[0]) == cells(CAT, ".jsonl")


def test_it_runs_once_while_the_label_stays(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat", 0.0), *[CAT] * 20)
    assert len(script.lines) == 1


def test_it_runs_each_time_the_label_appears(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat", 0.0), CAT, DOG, CAT, UNSURE, CAT)
    assert len(script.lines) == 3


def test_it_does_not_run_again_within_the_interval(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat", 10.0), *[CAT, DOG] * 5)
    assert len(script.lines) == 1


def test_a_label_that_appears_within_the_interval_and_stays_runs_it_afterwards(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat", 10.0), CAT, DOG, *[CAT] * 10)
    assert len(script.lines) == 2


def test_other_labels_do_not_run_it(script: HookScript) -> None:
    script.pass_rows(script.hooks("cat"), DOG, UNSURE, LOST)
    assert script.lines == []


def test_unsure_is_a_label(script: HookScript) -> None:
    script.pass_rows(script.hooks("unsure"), CAT, UNSURE)
    assert script.lines == ["unsure 0.400000 webcam"]


def test_a_star_is_any_label_but_not_a_lost_camera(script: HookScript) -> None:
    script.pass_rows(script.hooks("*", 0.0), CAT, LOST, DOG, UNSURE)
    assert [line.split()[0] for line in script.lines] == ["cat", "dog", "unsure"]


def test_each_source_has_its_own_label(script: HookScript) -> None:
    hooks = script.hooks("cat", 0.0)
    script.pass_rows(hooks, CAT, source="left")
    script.pass_rows(hooks, CAT, source="right")
    script.pass_rows(hooks, CAT, source="left")
    assert [line.split()[-1] for line in script.lines] == ["left", "right"]


@pytest.mark.parametrize("label", ["$(touch owned)", "`touch owned`", "; touch owned", "a\nb", "a\0b", "caf\udce9"])
def test_no_shell_interprets_a_label(
    script: HookScript, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script.pass_rows(script.hooks(label), Row("webcam", "ok", label, 0.5))
    assert len(script.lines) == 1
    assert not (tmp_path / "owned").exists()


def test_a_failing_program_is_reported_once(script: HookScript) -> None:
    script.write("exit 3")
    hooks = script.hooks("cat", 0.0)
    script.pass_rows(hooks, *[CAT, DOG] * 4)
    assert [line.partition(":")[0] for line in script.reports] == ["--on-label cat"]
    assert script.reports[0].endswith("hook.sh ended with exit code 3")


def test_a_missing_program_is_reported_and_the_run_continues(script: HookScript, tmp_path: Path) -> None:
    hooks = script.hooks("cat")
    (tmp_path / "hook.sh").unlink()
    script.pass_rows(hooks, CAT, DOG)
    assert script.reports[0].endswith("hook.sh cannot be run: No such file or directory")


def test_the_run_does_not_wait_for_the_program(script: HookScript, until: Until) -> None:
    script.write('while [ ! -e "$OUT.go" ]; do sleep 0.02; done; echo done >> "$OUT"')
    hooks = script.hooks("cat", 0.0)
    for row in [CAT, DOG] * 100:
        hooks.update("webcam", row)
    assert script.lines == []
    Path(f"{script.file}.go").touch()
    until(lambda: script.lines == ["done"])  # one process at a time
    hooks.close()


def test_a_program_that_takes_too_long_is_killed_with_all_its_children(
    script: HookScript, tmp_path: Path, until: Until
) -> None:
    script.write('sleep 600 & echo $! > "$OUT"; wait')
    hooks = script.hooks("cat", 0.0)
    hooks.update("webcam", CAT)
    until(lambda: bool(script.lines))
    script.now = 61.0
    hooks.update("webcam", DOG)
    assert script.reports[0].endswith("hook.sh took longer than 60 s and was killed")
    until(lambda: not _runs(int(script.lines[0])))


def test_it_is_killed_also_while_there_are_no_answers(script: HookScript, until: Until) -> None:
    script.write("sleep 600")
    hooks = script.hooks("cat", 0.0)
    hooks.update("webcam", CAT)
    script.now = 61.0
    hooks.reap()
    assert script.reports[0].endswith("hook.sh took longer than 60 s and was killed")


def test_ctrl_c_while_closing_leaves_no_program_behind(
    script: HookScript, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    script.write('sleep 600 & echo $! > "$OUT"; wait')
    hooks = script.hooks("cat")
    hooks.update("webcam", CAT)
    until(lambda: script.lines != [])

    def interrupt(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        monkeypatch.undo()  # only the first wait is interrupted, and the killed process can be waited for
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        hooks.close()
    until(lambda: not _runs(int(script.lines[0])))


def test_a_class_named_like_a_status_is_a_different_label(script: HookScript) -> None:
    script.pass_rows(script.hooks("*", 0.0), Row("webcam", "ok", "unsure", 0.9), UNSURE)
    assert len(script.lines) == 2


def _runs(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_longest_matching_label_wins() -> None:
    assert parse_hook("a:b:ls -l 'x y'", ["a", "a:b"]) == Hook("a:b", ("ls", "-l", "x y"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bird:ls", "choose from cat, dog, unsure, unknown, \\*"),
        ("cat", "takes LABEL:COMMAND, not 'cat'"),
        ("cat:", "no executable program ''"),
        ("cat:./no-such-program", "no executable program './no-such-program'"),
        ("cat:ls 'x", "cannot be parsed as a command: No closing quotation"),
    ],
)
def test_a_hook_that_cannot_run_is_refused_at_the_start(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_hook(text, ["cat", "dog"])


def test_a_program_without_execute_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook.sh").write_text("#!/bin/sh\n")
    with pytest.raises(OptionError, match=r"chmod \+x it"):
        parse_hook(f"cat:{tmp_path}/hook.sh", ["cat"])


def test_closing_kills_running_programs(script: HookScript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.runtime.live.hooks._CLOSE_S", 0.2)
    script.write("sleep 600")
    hooks = script.hooks("cat")
    hooks.update("webcam", CAT)
    started = time.monotonic()
    hooks.close()
    assert time.monotonic() - started < 60
