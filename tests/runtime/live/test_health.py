"""Whoever watches over a run sees that it gives answers, and that it does not: by a request, a file, or systemd."""

import configparser
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.live.health import HealthServer, Pulse
from edgeclf.runtime.live.systemd import notify_ready, notify_status, notify_stopping, notify_watchdog, watchdog_s

UNIT = Path(__file__).parents[3] / "examples" / "clf-run.service"
Command = Callable[..., subprocess.CompletedProcess[str]]
Until = Callable[[Callable[[], bool]], None]
Systemd = Callable[[], list[str]]


def ask(url: str) -> tuple[int, Any]:
    """The status and what the JSON says."""
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null") if error.code == 503 else None


def test_answers_are_counted_and_told() -> None:
    pulse = Pulse()
    pulse.beat(fps=14.8, age_ms=62.04)
    pulse.beat(2, fps=14.9, age_ms=63.0)
    state = pulse.state()
    assert 0 <= state.pop("last_answer_s") < 60
    assert state == {"status": "ok", "answers": 3, "fps": 14.9, "age_ms": 63.0, "trouble": []}


def test_before_the_first_answer_there_is_none() -> None:
    pulse = Pulse()
    pulse.beat(0)
    assert pulse.state() == {"status": "ok", "answers": 0, "fps": 0.0, "last_answer_s": None, "age_ms": None, "trouble": []}


def test_troubles_are_told_printably() -> None:
    pulse = Pulse()
    pulse.beat(0, trouble=["webcam: unplugged", "caf\udce9.mp4\n"])
    assert pulse.state()["trouble"] == ["webcam: unplugged", "caf\\xe9.mp4\\n"]


def test_health_is_200_while_there_are_answers() -> None:
    pulse = Pulse()
    pulse.beat()
    with closing(HealthServer("0", pulse)) as server:
        assert server.url.endswith("/health")
        status, state = ask(server.url)
        assert (status, state["status"], state["answers"]) == (200, "ok", 1)


def test_health_is_503_when_there_are_none_any_more_though_the_loop_goes_on(until: Until) -> None:
    pulse = Pulse(stalled_after_s=0.3)
    pulse.beat()
    with closing(HealthServer("0", pulse)) as server:
        until(lambda: ask(server.url)[0] == 503)
        pulse.beat(0, trouble=["webcam: unplugged"])
        status, state = ask(server.url)
        assert (status, state["status"], state["answers"], state["trouble"]) == (503, "stalled", 1, ["webcam: unplugged"])


def test_the_next_answer_makes_it_well_again(until: Until) -> None:
    pulse = Pulse(stalled_after_s=1.0)
    until(lambda: pulse.is_stalled)
    pulse.beat()
    assert not pulse.is_stalled


def test_a_run_that_never_gives_an_answer_is_stalled(until: Until) -> None:
    pulse = Pulse(stalled_after_s=0.2)
    until(lambda: pulse.state()["status"] == "stalled")


def test_health_asks_for_no_token_and_tells_nothing_else() -> None:
    with closing(HealthServer("0.0.0.0:0", Pulse())) as server:
        port = server.url.rsplit(":", 1)[1].split("/")[0]
        assert ask(f"http://127.0.0.1:{port}/health")[0] == 200
        assert ask(f"http://127.0.0.1:{port}/")[0] == 404
        assert ask(f"http://127.0.0.1:{port}/state")[0] == 404


def test_a_bad_address_names_its_flag() -> None:
    with pytest.raises(OptionError, match=r"^--health takes a port"):
        HealthServer("nonsense", Pulse())


def test_the_heartbeat_file_is_there_from_the_start_and_holds_the_state(tmp_path: Path) -> None:
    pulse = Pulse(heartbeat=tmp_path / "beat.json")
    assert json.loads((tmp_path / "beat.json").read_text())["answers"] == 0
    pulse.beat(3)
    assert json.loads((tmp_path / "beat.json").read_text())["answers"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["beat.json"]


def test_the_heartbeat_file_is_written_once_a_second_at_most_and_goes_on(tmp_path: Path, until: Until) -> None:
    file = tmp_path / "beat.json"
    pulse = Pulse(heartbeat=file)
    began, seen = time.monotonic(), set()

    def beaten_three_times() -> bool:
        pulse.beat()
        seen.add(file.stat().st_mtime_ns)
        return len(seen) == 3

    until(beaten_three_times)
    assert time.monotonic() - began >= 2
    assert json.loads(file.read_text())["answers"] > 10


def test_a_run_that_hangs_leaves_its_heartbeat_as_it_was(tmp_path: Path, until: Until) -> None:
    file = tmp_path / "beat.json"
    pulse = Pulse(stalled_after_s=0.1, heartbeat=file)
    pulse.beat()
    written = file.read_bytes()
    until(lambda: pulse.is_stalled)
    assert file.read_bytes() == written


def test_a_disk_that_fills_is_said_once_and_the_file_stays_whole(
    tmp_path: Path,
    full_disk: Callable[[int], AbstractContextManager[None]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgeclf.runtime.live.health._FILE_EVERY_S", 0.0)
    file = tmp_path / "beat.json"
    pulse = Pulse(heartbeat=file)
    with full_disk(10):
        pulse.beat()
        pulse.beat()
    assert capsys.readouterr().err.count("\n") == 1
    assert json.loads(file.read_text())["answers"] == 0
    pulse.beat()
    assert json.loads(file.read_text())["answers"] == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["missing/beat.json", "folder"])
def test_a_heartbeat_that_cannot_be_written_from_the_start_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"^cannot write .*; name another file with --heartbeat$"):
        Pulse(heartbeat=tmp_path / place)


@contextmanager
def listening(address: str) -> Iterator[Systemd]:
    """What systemd hears at a socket of this name, so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.setblocking(False)
        heard: list[str] = []

        def messages() -> list[str]:
            try:
                while True:
                    heard.append(receiver.recv(65536).decode())
            except BlockingIOError:
                return heard

        yield messages


@pytest.fixture(params=["in a folder", "in no folder"])
def systemd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    folder = tempfile.mkdtemp()  # the path of a socket may be no longer than 107 bytes
    name = f"{folder}/notify" if request.param == "in a folder" else f"@edgeclf-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with listening(name.replace("@", "\0")) as messages:
        yield messages
    shutil.rmtree(folder)


def test_systemd_is_told_of_the_beginning_and_the_end(systemd: Systemd) -> None:
    notify_ready()
    notify_watchdog()
    notify_stopping()
    assert systemd() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_status_is_one_line_whatever_it_holds(systemd: Systemd) -> None:
    notify_status("caf\udce9.mp4\nREADY=1")
    assert systemd() == ["STATUS=caf\\xe9.mp4\\nREADY=1"]


def test_the_loop_keeps_the_watchdog_quiet_and_the_status_fresh(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    pulse = Pulse()
    assert systemd() == []
    pulse.beat(1200, fps=14.9, trouble=["webcam:1: unplugged"])
    assert systemd() == ["WATCHDOG=1", "STATUS=1,200 answers, 14.9 a second; webcam:1: unplugged"]
    for _ in range(100):
        pulse.beat()
    assert len(systemd()) == 2


def test_the_watchdog_hears_again_within_half_of_its_patience(
    systemd: Systemd, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    pulse = Pulse()

    def pings() -> int:
        pulse.beat()
        return systemd().count("WATCHDOG=1")

    until(lambda: pings() >= 4)


def test_nobody_is_told_that_a_loop_is_alive_but_by_the_loop(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    with closing(HealthServer("0", Pulse())) as server:
        assert ask(server.url)[0] == 200
        assert systemd() == []


@pytest.mark.parametrize(
    ("microseconds", "process", "expected"),
    [
        ("30000000", None, 30.0),
        ("30000000", "ours", 30.0),
        ("30000000", "1", None),
        ("", None, None),
        ("x", None, None),
        ("0", None, None),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(
    microseconds: str, process: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    if process is None:
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_PID", process.replace("ours", str(os.getpid())))
    assert watchdog_s() == expected


@pytest.mark.parametrize("name", [None, "", "/no/such/socket", "relative", "@nobody-listens-here"])
def test_without_systemd_nothing_happens(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if name is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify_ready()
    Pulse().beat()
    notify_stopping()


def test_a_systemd_that_does_not_listen_holds_nothing_up(systemd: Systemd) -> None:
    for _ in range(5000):
        notify_watchdog()
    assert set(systemd()) == {"WATCHDOG=1"}


def unit() -> configparser.ConfigParser:
    """The example, with the lines that go on in the next put together."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(UNIT.read_text("utf-8").replace("\\\n", ""))
    return parser


def test_the_service_uses_only_options_that_clf_run_has(command: Command) -> None:
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", command("clf-run", "--help").stdout))
    used = {word for word in shlex.split(unit()["Service"]["ExecStart"]) if word.startswith("-")}
    assert used >= {"--source", "-o", "--smooth", "--conf", "--give-up", "--health"}
    assert used <= known


def test_the_service_is_watched_and_comes_back_for_ever() -> None:
    service = unit()["Service"]
    assert (service["Type"], service["WatchdogSec"], service["Restart"]) == ("notify", "30", "always")
    assert service["SuccessExitStatus"].split() == ["130", "143"]
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_finds_no_fault_with_the_service(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/clf-run/venv/bin/clf-run", "/bin/sh"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
