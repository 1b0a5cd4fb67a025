"""Supervisors see whether a run gives answers, by a request or through systemd."""

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
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeclf.runtime.cli.clf_run import app
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.health import HealthServer, Heartbeat
from edgeclf.runtime.live.systemd import notify_ready, notify_status, notify_stopping, notify_watchdog, watchdog_s
from tests.conftest import Invoke

UNIT = Path(__file__).parents[3] / "examples" / "clf-run.service"
Until = Callable[[Callable[[], bool]], None]
Systemd = Callable[[], list[str]]


def ask(url: str) -> tuple[int, Any]:
    """The status and the JSON content."""
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null") if error.code == 503 else None


def test_answers_are_counted() -> None:
    heartbeat = Heartbeat()
    heartbeat.record(fps=14.8, age_ms=62.04)
    heartbeat.record(2, fps=14.9, age_ms=63.0)
    state = heartbeat.state()
    assert 0 <= state.pop("last_answer_s") < 60
    assert state == {"status": "ok", "answers": 3, "fps": 14.9, "age_ms": 63.0, "trouble": []}


def test_the_state_before_the_first_answer() -> None:
    heartbeat = Heartbeat()
    heartbeat.record(0)
    assert heartbeat.state() == {
        "status": "ok",
        "answers": 0,
        "fps": 0.0,
        "last_answer_s": None,
        "age_ms": None,
        "trouble": [],
    }


def test_troubles_are_printable() -> None:
    heartbeat = Heartbeat()
    heartbeat.record(0, trouble=["webcam: unplugged", "caf\udce9.mp4\n"])
    assert heartbeat.state()["trouble"] == ["webcam: unplugged", "caf\\xe9.mp4\\n"]


def test_health_is_200_while_there_are_answers() -> None:
    heartbeat = Heartbeat()
    heartbeat.record()
    with closing(HealthServer("0", heartbeat)) as server:
        assert server.url.endswith("/health")
        status, state = ask(server.url)
        assert (status, state["status"], state["answers"]) == (200, "ok", 1)


def test_health_is_503_when_answers_stop_although_the_loop_continues(until: Until) -> None:
    heartbeat = Heartbeat(stalled_after_s=0.1)
    heartbeat.record()
    with closing(HealthServer("0", heartbeat)) as server:
        until(lambda: ask(server.url)[0] == 503)
        heartbeat.record(0, trouble=["webcam: unplugged"])
        status, state = ask(server.url)
        assert (status, state["status"], state["answers"], state["trouble"]) == (503, "stalled", 1, ["webcam: unplugged"])


def test_the_next_answer_ends_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = Heartbeat(stalled_after_s=60.0)
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert heartbeat.is_stalled
    heartbeat.record()
    assert not heartbeat.is_stalled


def test_a_run_that_never_gives_an_answer_is_stalled(until: Until) -> None:
    heartbeat = Heartbeat(stalled_after_s=0.1)
    until(lambda: heartbeat.state()["status"] == "stalled")


def test_health_needs_no_token_and_serves_nothing_else() -> None:
    with closing(HealthServer("0.0.0.0:0", Heartbeat())) as server:
        port = server.url.rsplit(":", 1)[1].split("/")[0]
        assert ask(f"http://127.0.0.1:{port}/health")[0] == 200
        assert ask(f"http://127.0.0.1:{port}/")[0] == 404
        assert ask(f"http://127.0.0.1:{port}/state")[0] == 404


def test_a_bad_address_names_its_flag() -> None:
    with pytest.raises(OptionError, match=r"--health.*'nonsense'"):
        HealthServer("nonsense", Heartbeat())


@contextmanager
def listening(address: str) -> Iterator[Systemd]:
    """`messages()` returns everything that was sent to this socket so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.setblocking(False)
        received: list[str] = []

        def messages() -> list[str]:
            try:
                while True:
                    received.append(receiver.recv(65536).decode())
            except BlockingIOError:
                return received

        yield messages


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    folder = tempfile.mkdtemp()  # the path of a socket is limited to 107 bytes
    name = f"{folder}/notify" if request.param == "path" else f"@edgeclf-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with listening(name.replace("@", "\0")) as messages:
        yield messages
    shutil.rmtree(folder)


def test_systemd_learns_about_start_and_end(systemd: Systemd) -> None:
    notify_ready()
    notify_watchdog()
    notify_stopping()
    assert systemd() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_status_is_always_one_line(systemd: Systemd) -> None:
    notify_status("caf\udce9.mp4\nREADY=1")
    assert systemd() == ["STATUS=caf\\xe9.mp4\\nREADY=1"]


def test_the_loop_pings_the_watchdog_and_updates_the_status(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    heartbeat = Heartbeat()
    assert systemd() == []
    heartbeat.record(1200, fps=14.9, trouble=["webcam:1: unplugged"])
    assert systemd() == ["WATCHDOG=1", "STATUS=1,200 answers, 14.9 a second; webcam:1: unplugged"]
    for _ in range(100):
        heartbeat.record()
    assert len(systemd()) == 2


def test_the_watchdog_gets_pings_in_time(systemd: Systemd, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    heartbeat = Heartbeat()

    def pings() -> int:
        heartbeat.record()
        return systemd().count("WATCHDOG=1")

    until(lambda: pings() >= 4)


def test_only_the_loop_reports_that_it_is_alive(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    with closing(HealthServer("0", Heartbeat())) as server:
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
def test_a_watchdog_of_another_process_is_ignored(
    microseconds: str, process: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    if process is None:
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_PID", process.replace("ours", str(os.getpid())))
    assert watchdog_s() == expected


@pytest.mark.parametrize("name", [None, "", "/no/such/socket", "relative", "@no-listener-here"])
def test_without_systemd_nothing_is_sent(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if name is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify_ready()
    Heartbeat().record()
    notify_stopping()


def test_a_busy_systemd_does_not_hold_up_the_run(systemd: Systemd) -> None:
    for _ in range(5000):
        notify_watchdog()
    assert set(systemd()) == {"WATCHDOG=1"}


def unit() -> configparser.ConfigParser:
    """The example service, with continued lines joined."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(UNIT.read_text("utf-8").replace("\\\n", ""))
    return parser


def test_the_service_uses_only_options_that_clf_run_has(in_process: Callable[[typer.Typer], Invoke]) -> None:
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", in_process(app)("--help-all").stdout))
    used = {word for word in shlex.split(unit()["Service"]["ExecStart"]) if word.startswith("-")}
    assert used >= {"--source", "-o", "--smooth", "--conf", "--give-up", "--health"}
    assert used <= known


def test_the_service_is_watched_and_always_restarted() -> None:
    service = unit()["Service"]
    assert (service["Type"], service["WatchdogSec"], service["Restart"]) == ("notify", "30", "always")
    assert service["SuccessExitStatus"].split() == ["130", "143"]
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_accepts_the_service(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/clf-run/venv/bin/clf-run", "/bin/sh"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
