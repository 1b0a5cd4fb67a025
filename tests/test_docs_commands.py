"""The commands of the README and of `docs/` run, in the order of the page, in a folder laid out as the page assumes.

They run as they stand there. Only the defaults in `DEFAULTS` are others, and `:8080` is a port that is free.
"""

import importlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile

import pytest
import typer

from tests.support.documentation import PAGES, Block, Command, read
from tests.support.documented_folder import write_everything
from tests.support.scripts import SCRIPTS, app_of

DRAWN = {
    r"^error: ": "what a command printed",
    r"^path,status,": "rows; tests/test_docs.py compares them with the code",
    r"^path,label,decision": "corrections; tests/test_docs.py reads them",
    r"^runtime  |^file, folder, archive": "a drawing",
    r"^FROM |^apiVersion: |^#!/bin/bash": "a file for a cluster",
}
"""Blocks that are no commands, by how they begin."""

NOT_HERE = {
    r"^(pip|uv) ": "installs packages",
    r"webcam|-s 0,1\b|rtsp://": "needs a camera",
    r"--device cpu,cuda": "needs a GPU",
    r"--ray\b|^ray |RAY_": "needs Ray, which takes 20 s to start: tests/runtime/test_run_ray.py",
    r"s3://": "needs an object store: tests/runtime/test_run_object_store.py",
    r"^clf-train --resume": "needs a training that was killed: tests/train/test_resume.py",
    r"\btorch\.|\btimm\b|onnx_export|edge_impulse_linux|ImageImpulseRunner|^import json$": "needs another tool",
    r"--qat\b": "trains on the images of a run, for minutes: tests/export/qat/test_trained.py",
    r"--against-unknown\b": "needs a folder of images of no class: tests/train/test_unknown.py",
    r"clf-check .*--labels\b|suspects\.csv": "computes features for half a minute: tests/train/test_label_errors.py",
    r"clf-train .*--corrections\b": "trains on what people decided: tests/train/data/test_corrected.py",
    r"--root\b": "needs images that have moved: tests/runtime/cli/test_clf_review.py",
    r"--teacher\b": "needs minutes for a teacher and its answers: tests/train/test_teaching.py",
    r"--against runs/cells/model\.keras": "loads TensorFlow in processes of its own: tests/benchmarks/test_clf_bench.py",
    r"\b(FOLDER|NAME|DIR)\b|N,N,N": "names no file",
    r"clf-export model\.(onnx|tflite) ": "needs a tool's own file: tests/test_adoption_advice.py",
}
"""Why a command is not run, by what is in it."""

DEFAULTS = {
    "clf-train": {"clf-train": {"model": "cnn", "imgsz": "32", "filters": "8", "epochs": 1, "patience": 1}},
    "clf-bench": {"rounds": 1, "seconds": 0.1},
}
"""In place of the commands' own, with which a training takes minutes, and a benchmark ten seconds a file."""

CODES = {"--baseline": (0, 3), "--watch": (130,), "--serve": (130,)}
"""The exit codes of a command by what is in it, where that is not 0: a speed here may miss a gate; Ctrl-C ends others."""

SIDE_BY_SIDE = "docs/coming-from.md"  # repeats commands of other pages
THEIRS = {"docs/from-elsewhere.md", SIDE_BY_SIDE}
"""Pages whose `model.keras` another tool made."""

BEFORE = {
    "docs/bench.md": "clf-bench runs/cells -o bench/",
    "docs/review.md": "clf-train photos/",
    "docs/scale.md": "clf-run model.onnx photos/ -o rows/part.parquet --no-journal",
}
"""What stands in for a command of the page that is not run."""

IMPORTED = {"duckdb": "duckdb", "pl": "polars", "pd": "pandas"}
"""What the Python examples of a page use without importing it."""

OTHERS_PAGES = {"docs/python.md"}  # its examples have a test of their own
READ = [page for page in PAGES if page not in OTHERS_PAGES]
WRITES = re.compile(r"(?:^|\s)(?:-o|--save|--record|--sort-dir|>) (\S+)")
NAMED_FILES = re.compile(r"\b[\w./-]+\.(?:onnx|tflite)\b")


def reason(patterns: dict[str, str], text: str) -> str:
    return next((why for pattern, why in patterns.items() if re.search(pattern, text)), "")


def commands_of(page: str) -> list[Command]:
    blocks = [block for block in read(page) if not reason(DRAWN, block.text)]
    return [command for block in blocks for command in block.commands()]


def to_run(page: str) -> list[Command]:
    """The commands that can run, each once."""
    others = [one for other in READ if other != page for one in commands_of(other)] if page == SIDE_BY_SIDE else []
    seen = {one.text for one in others}
    found = []
    for command in commands_of(page):
        if command.text not in seen and not reason(NOT_HERE, command.text):
            found.append(command)
            seen.add(command.text)
    return found


def test_what_is_not_run_is_what_the_tables_say() -> None:
    blocks: list[Block] = [block for page in READ for block in read(page)]
    commands = [command.text for page in READ for command in commands_of(page)]
    assert [pattern for pattern in DRAWN if not any(re.search(pattern, block.text) for block in blocks)] == []
    assert [pattern for pattern in NOT_HERE if not any(re.search(pattern, text) for text in commands)] == []


def test_what_is_run_are_commands() -> None:
    shell = [command.text.split()[0] for page in READ for command in to_run(page) if command.language != "python"]
    assert set(shell) - {*SCRIPTS, "find", "unzip"} == set()
    assert len(shell) > 40


@pytest.mark.parametrize(
    "command",
    [
        Command("clf-inspect absent.onnx"),
        Command("find absent | cat"),
        Command("clf-inspect --version", "writes absent.onnx"),
        Command("1 / 0", language="python"),
    ],
    ids=lambda command: command.text,
)
def test_what_goes_wrong_is_noticed(command: Command, in_process: Callable[..., object]) -> None:
    assert problem(command, {})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    write_everything(folder)
    return folder


@pytest.fixture
def place(everything: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared folder, which is also the current folder."""
    monkeypatch.chdir(shutil.copytree(everything, tmp_path / "here"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return Path.cwd()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in READ if to_run(page)])
def test_the_commands_of_a_page_run(
    page: str, place: Path, in_process: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    if page in THEIRS:
        shutil.copy("mine.keras", "model.keras")
        Path("labels.csv").unlink()  # clf-export takes it for a list of classes
    if page == SIDE_BY_SIDE:
        shutil.copytree("runs/cells", "runs/photos")
    if page in BEFORE:
        assert run_here(BEFORE[page])[0] == 0
    names: dict[str, object] = {name: importlib.import_module(module) for name, module in IMPORTED.items()}
    assert list(filter(None, (problem(command, names) for command in to_run(page)))) == []


def problem(command: Command, names: dict[str, object]) -> str:
    """What went wrong, or "". names: what a Python statement can use, and adds to."""
    started = time.time()
    try:
        if command.language == "python":
            exec(command.text, names)
            return ""
        code, output = run(command.text)
    except Exception as error:
        return f"{command.text}: {error!r}"
    if code not in next((codes for part, codes in CODES.items() if part in command.text), (0,)):
        return f"{command.text}: exit code {code}\n{output}"
    named = WRITES.findall(command.text) + NAMED_FILES.findall(command.comment)
    missing = [name for name in named if not was_written(Path(name).name, started)]
    return f"{command.text}: did not write {missing}" if missing else ""


def was_written(name: str, since: float) -> bool:
    """Whether a file or folder of that name is new, anywhere here. since: seconds since 1970, of a coarse clock."""
    return any(path.stat().st_mtime > since - 0.1 for path in Path().rglob(name))


def run(text: str) -> tuple[int, str]:
    """The exit code, and what it printed."""
    text = text.replace(":8080", f":{free_port()}")
    if "--watch" in text or "--serve" in text:
        return until_interrupted(text)
    if re.search(r" \| ", text) or text.split()[0] not in SCRIPTS:
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {text}"], capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout + done.stderr
    text, _, target = text.partition(" > ")
    code, output = run_here(text)
    if target:
        Path(target.strip()).write_text(output)
    return code, output


def run_here(text: str) -> tuple[int, str]:
    """In this process, which has TensorFlow already. bash splits the words."""
    words = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True).stdout
    name, *arguments = words.split("\0")[:-1]
    command, code = typer.main.get_command(app_of(name)), 0
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                command.main(arguments, prog_name=name, default_map=DEFAULTS.get(name))
            except SystemExit as end:
                code = int(end.code or 0)
        out.seek(0)
        err.seek(0)
        return code, out.read() if code == 0 else err.read()


def until_interrupted(text: str) -> tuple[int, str]:
    """A command that runs until Ctrl-C, which comes when it has a row in its journal, or serves its page."""
    process = subprocess.Popen(shlex.split(text), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 100
    if "--serve" in text:
        address = text.split()[-1]
        while time.monotonic() < deadline and not is_open(int(address.rpartition(":")[2])):
            time.sleep(0.05)
    else:
        journal = Path(f"{WRITES.findall(text)[0]}.journal")
        while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") > 1):
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
