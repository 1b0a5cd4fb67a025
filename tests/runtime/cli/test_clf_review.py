"""`clf-review`: a page on the disk or on a port, and one sentence for everything that is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.runtime.review.corrections import CorrectionsFile
from tests.conftest import Command
from tests.runtime.review.conftest import ODD_NAMES, results
from tests.support.review_client import ReviewClient
from tests.support.scripts import app_of

__all__ = ["results"]
WHEN = "2026-11-22T14:20:31.007Z"


@pytest.fixture
def review(in_process: Callable[..., Callable[..., Result]]) -> Callable[..., Result]:
    return in_process(app_of("clf-review"))


def problem(done: Result) -> str:
    assert done.exit_code == 2, done.output
    [line] = done.stderr.splitlines()[-1:]
    return str(line)


def test_a_page_is_written(results: Path, command: Command) -> None:
    done = command("clf-review", "results.csv", "-o", "page.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert "page.html shows 10 images" in done.stderr
    assert "1 image of 10 not found" in done.stderr
    assert Path("page.html").is_file()
    assert not Path("corrections.csv").exists()


@pytest.mark.parametrize("arguments", [[], ["-o", "page.html", "--serve", ":0"]], ids=["neither", "both"])
def test_a_page_is_either_written_or_served(arguments: list[str], results: Path, review: Callable[..., Result]) -> None:
    assert "give either -o PAGE.html" in problem(review("results.csv", *arguments))


def test_images_that_have_moved_are_found_with_root(results: Path, review: Callable[..., Result]) -> None:
    Path("photos").rename("new")
    assert "name the one that the images are in now with --root" in problem(review("results.csv", "-o", "page.html"))
    assert not Path("page.html").exists()
    assert not Path("page_files").exists()
    assert "nowhere is no folder" in problem(review("results.csv", "-o", "page.html", "--root", "nowhere"))
    done = review("results.csv", "-o", "page.html", "--root", "new")
    assert done.exit_code == 0, done.output
    assert "1 image of 10 not found" in done.stderr


def test_results_without_paths_or_rows_are_refused(results: Path, review: Callable[..., Result]) -> None:
    Path("r.csv").write_text("label\nant\n")
    assert "r.csv has no column path" in problem(review("r.csv", "-o", "page.html"))
    Path("r.csv").write_text("path,label\n")
    assert "r.csv holds no rows" in problem(review("r.csv", "-o", "page.html"))


def test_a_port_in_use_is_one_sentence(results: Path, review: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = problem(review("results.csv", "--serve", f":{port}"))
    assert said == f"error: --serve :{port}: another program uses this port; choose another one"


def test_a_corrections_file_with_an_unknown_class_is_named_by_its_line(results: Path, review: Callable[..., Result]) -> None:
    text = "path,label,decision\nphotos/a.png,ant,accepted\nphotos/b.png,beee,corrected\n"
    Path("corrections.csv").write_text(text)
    for arguments in (["--serve", ":0"], ["-o", "page.html", "--corrections", "corrections.csv"]):
        said = problem(review("results.csv", *arguments))
        assert "line 3 of corrections.csv names the class 'beee', which does not exist; did you mean bee?" in said
    assert Path("corrections.csv").read_text() == text
    Path("classes.txt").write_text("ant\nbeee\n")
    options = ["--corrections", "corrections.csv", "--classes", "classes.txt"]
    assert review("results.csv", "-o", "page.html", *options).exit_code == 0


def test_what_is_odd_about_the_corrections_is_said(results: Path, review: Callable[..., Result]) -> None:
    rows = ["photos/a.png,ant,accepted", "photos/a.png,bee,corrected", "elsewhere.png,,rejected"]
    Path("c.csv").write_text("\n".join(["path,label,decision", *rows]) + "\n")
    done = review("results.csv", "-o", "page.html", "--corrections", "c.csv")
    assert "c.csv corrects some images more than once: 1 row replaced by a later one" in done.stderr
    assert "c.csv also corrects 1 image that these results do not have" in done.stderr


def test_corrections_that_are_open_elsewhere_are_refused(results: Path, review: Callable[..., Result]) -> None:
    with closing(CorrectionsFile(Path("corrections.csv"))):
        assert "corrections.csv is being written by another process" in problem(review("results.csv", "--serve", ":0"))


# --- served ---


class Served(ReviewClient):
    """A running `clf-review --serve`, in a process of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [str(Path(sys.executable).with_name("clf-review")), "results.csv", "--serve", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
        assert self.process.stderr
        said = self.process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + self.process.stderr.read()
        super().__init__(found[0])

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def served(results: Path) -> Iterator[Served]:
    one = Served(":0")
    yield one
    if one.process.poll() is None:
        one.end(signal.SIGKILL)


def rows_of(path: str = "corrections.csv") -> list[str]:
    return Path(path).read_text("utf-8").splitlines()[1:]


def test_a_decision_is_on_the_disk_before_it_is_confirmed(served: Served) -> None:
    shown = json.loads(served.get("rows?n=0"))["paths"]
    odd = [path for path in shown if not path.endswith(".png")]
    assert len(odd) == len(ODD_NAMES)
    entries = [[path, "ant", "corrected", WHEN] for path in odd]
    assert served.post(entries) == (200, '{"written": 5}\n')
    assert served.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(rows_of()) == 5
    with closing(CorrectionsFile(Path("corrections.csv"))) as corrections:
        assert set(corrections.counting()) == {f"photos/{name}" for name in ODD_NAMES}


def test_what_is_sent_again_after_a_kill_is_written_once(served: Served) -> None:
    entries = [["photos/a.png", "bee", "corrected", WHEN], ["photos/b.png", "", "rejected", WHEN]]
    served.post(entries)
    served.end(signal.SIGKILL)
    again = Served(":0")
    try:
        assert json.loads(again.get("decided")) == entries
        assert again.post([*entries, ["photos/b.png", "", "undone", "2026-11-22T14:20:32.000Z"]])[1] == '{"written": 1}\n'
        assert json.loads(again.get("decided")) == entries[:1]
    finally:
        assert again.end() == 130
    assert len(rows_of()) == 3


def test_the_token_of_the_live_page_is_asked_for(results: Path) -> None:
    served = Served(":0", CLF_VIEW_TOKEN="right")
    try:
        assert served.url.endswith("?token=right")
        assert b"clf-review" in served.get("")
        served.url = served.url.replace("right", "wrong")
        with pytest.raises(urllib.error.HTTPError, match="403") as caught:
            served.get("rows?n=0")
        assert "open the address that clf-review printed" in caught.value.read().decode()
        caught.value.close()
        assert served.post([["photos/b.png", "ant", "accepted", WHEN]])[0] == 403
    finally:
        served.end()
