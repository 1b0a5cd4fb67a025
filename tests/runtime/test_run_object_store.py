"""`clf-run` on a bucket: it gives the rows of a local folder, and an unreachable store is not recorded as bad images."""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from botocore.exceptions import ClientError

from edgeclf.runtime.cli.clf_run import app
from tests.conftest import Command, Invoke
from tests.support.drawings import write_images
from tests.support.object_store import WRONG, ObjectStore


@pytest.fixture(scope="module")
def store(object_store: ObjectStore) -> ObjectStore:
    object_store.make_bucket("images")
    return object_store


@pytest.fixture
def clf_run(store: ObjectStore, in_process: Callable[[typer.Typer], Invoke], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """`clf-run` in this process, with the settings for the server."""
    for name, value in store.settings().items():
        monkeypatch.setenv(name, value)
    return in_process(app)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 files: 12 images, of which one is damaged, a hidden image and a text file."""
    folder = write_images(tmp_path_factory.mktemp("photos") / "photos", 6)
    damaged = folder / "disc" / "disc003.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (folder / "disc" / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def uri(store: ObjectStore, photos: Path) -> str:
    return store.upload(photos, "s3://images/photos")


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kept_rows(stderr: str) -> str | None:
    """How many images an earlier run left in the journal, as `N images`."""
    line = next((line for line in stderr.splitlines() if "rows.csv.journal" in line), "")
    count = re.search(r"[\d,]+ images?", line)
    return count and count[0]


def test_the_test_server_checks_credentials(store: ObjectStore, uri: str) -> None:
    other_user = store.new_credentials()
    assert other_user.user
    assert "photos/notes.txt" in store.keys("images")
    for credentials in (WRONG, other_user):
        client = ObjectStore.__new__(ObjectStore)
        client.url, client.credentials = store.url, credentials
        if credentials is other_user:
            assert client.get(f"{uri}/notes.txt") == b""
            store.revoke(other_user)
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            client.get(f"{uri}/notes.txt")


def test_rows_equal_those_of_the_same_local_folder_and_a_second_run_does_no_work(
    store: ObjectStore, uri: str, photos: Path, colour_model: Path, command: Command, clf_run: Invoke, tmp_path: Path
) -> None:
    local = clf_run(colour_model, "-s", photos, "-o", "local.csv")
    first = command("clf-run", colour_model, "-s", f"{uri}/", "-o", "rows.csv", env=store.environment())
    assert (local.exit_code, first.returncode) == (1, 1), first.stderr
    remote_rows, local_rows = rows(tmp_path / "rows.csv"), rows(tmp_path / "local.csv")
    assert [row["path"].removeprefix(f"{uri}/") for row in remote_rows] == [
        row["path"].removeprefix(f"{photos}/") for row in local_rows
    ]
    same = ("status", "label", "confidence", "error", "detail", "width", "height", "size_bytes", "model")
    assert [[row[name] for name in same] for row in remote_rows] == [[row[name] for name in same] for row in local_rows]
    assert [row["error"] for row in remote_rows if row["error"]] == ["truncated"]
    assert all(row["modified"] > "2020" for row in remote_rows)

    second = clf_run(colour_model, "-s", f"{uri}/", "-o", "rows.csv")
    assert second.exit_code == 1
    assert kept_rows(second.stderr) == "12 images"
    assert rows(tmp_path / "rows.csv") == remote_rows


@pytest.mark.parametrize("problem", ["credentials", pytest.param("bucket", marks=pytest.mark.slow)])
def test_a_store_that_cannot_be_opened_is_one_line_on_stderr(
    problem: str, store: ObjectStore, uri: str, colour_model: Path, command: Command, tmp_path: Path
) -> None:
    wrong = problem == "credentials"
    source = uri if wrong else "s3://no-such-bucket/photos"
    done = command("clf-run", colour_model, "-s", source, "-o", "rows.csv", env=store.environment(WRONG if wrong else None))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {source} cannot be read: ")
    for keyword in ("denied (ACCESS_DENIED)", "AWS_ACCESS_KEY_ID", "~/.aws") if wrong else ("no bucket 'no-such-bucket'",):
        assert keyword in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "rows.csv").exists()


def test_a_missing_object_is_a_row(uri: str, colour_model: Path, clf_run: Invoke, tmp_path: Path) -> None:
    names = [f"{uri}/disc/disc000.png", f"{uri}/disc/gone.png", f"{uri}/disc/disc001.png"]
    (tmp_path / "list.txt").write_text("\n".join(names))
    done = clf_run(colour_model, "-s", "@list.txt", "-o", "rows.csv")
    assert done.exit_code == 1, done.stderr
    assert [(row["path"], row["error"]) for row in rows(tmp_path / "rows.csv")] == [
        (names[0], ""),
        (names[1], "not_found"),
        (names[2], ""),
    ]


def test_expired_credentials_end_the_run_which_can_be_resumed_without_bad_rows(
    store: ObjectStore, photos: Path, colour_model: Path, command: Command, tmp_path: Path
) -> None:
    data = (photos / "disc" / "disc000.png").read_bytes()
    names = [store.put(f"s3://images/night/{number:02}.png", data) for number in range(20)]
    credentials = store.new_credentials()
    arguments = [colour_model, "-s", "-", "-o", "rows.csv"]
    clf_run = Path(sys.executable).with_name("clf-run")
    journal = tmp_path / "rows.csv.journal"
    with subprocess.Popen(
        [clf_run, *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=store.environment(credentials),
    ) as run:
        assert run.stdin is not None
        run.stdin.write("\n".join(names[:4]) + "\n")
        run.stdin.flush()
        deadline = time.monotonic() + 120
        while not (journal.exists() and "03.png" in journal.read_text("utf-8")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        store.revoke(credentials)
        _, said = run.communicate("\n".join(names[4:]) + "\n", timeout=120)
    assert run.returncode == 2
    assert "s3://images/night cannot be read any more (access is denied" in said
    assert "its images were not recorded as failed" in said

    again = command("clf-run", *arguments, input="\n".join(names), env=store.environment())
    assert again.returncode == 0, again.stderr
    assert kept_rows(again.stderr) == "4 images"
    assert [(row["path"], row["status"]) for row in rows(tmp_path / "rows.csv")] == [(name, "ok") for name in names]
