"""Small real things that many tests need: generated images, a tiny trained model with its artefacts, the commands."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from edgeclf.train.data.dataset import scan, write_split
from edgeclf.train.quiet import quiet_tensorflow
from tests.support.drawings import write_images
from tests.support.trained_run import KEPT_RUN

quiet_tensorflow()

Command = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def _sigint_is_not_ignored() -> None:
    """Commands started by tests inherit an ignored SIGINT, which a background job of a shell script has."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 labelled images, 30 a class. Read only."""
    return write_images(tmp_path_factory.mktemp("images") / "shapes", 30)


@pytest.fixture(scope="session")
def run_folder(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training run that is kept with the tests, with its exported files, and a `split.csv` of its images. Read only."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(KEPT_RUN, folder, dirs_exist_ok=True)
    write_split(scan(image_folder), folder / "split.csv")
    return folder


@pytest.fixture(scope="session")
def onnx_model(run_folder: Path) -> Path:
    return run_folder / "model.onnx"


@pytest.fixture(scope="session")
def int8_model(run_folder: Path) -> Path:
    return run_folder / "model.int8.tflite"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run an installed command, such as `command("clf-run", "--help")`, in the test's own folder."""

    def run(name: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {"cwd": tmp_path, "timeout": 300, "env": os.environ | {"NO_COLOR": "1"}} | options
        line = [str(Path(sys.executable).with_name(name)), *map(os.fspath, map(_as_argument, arguments))]
        return subprocess.run(line, capture_output=True, text=True, errors="surrogateescape", check=False, **settings)  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., str]:
    """Run a script in a new interpreter, in the test's own folder, and return what it printed."""

    def run(script: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[typer.Typer], Invoke]]:
    """`in_process(app)` is the command in this process, which has TensorFlow already, and in the test's own folder."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("EDGECLF_VERBOSE", "1")  # leaves this process's stderr where pytest wants it
    monkeypatch.chdir(tmp_path)
    yield lambda app: lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """`with full_disk(1000):` no file of this process grows beyond 1000 bytes."""

    @contextmanager
    def limit(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


def _as_argument(argument: object) -> str | Path:
    return argument if isinstance(argument, str | Path) else str(argument)
