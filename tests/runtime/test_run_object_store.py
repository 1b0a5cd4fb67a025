"""`clf-run` over a bucket: the rows of a local folder, and nothing is recorded as bad because the store is out of reach."""

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Command
from tests.support.drawings import write_images
from tests.support.object_store import WRONG, ObjectStore, object_store

LOOKED_AT = "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, then ~/.aws"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as store:
        store.make_bucket("images")
        yield store


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 files: 12 images, one of which is damaged, one hidden and one that is no image."""
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


def test_the_server_asks_for_credentials(store: ObjectStore, uri: str) -> None:
    theirs = store.new_credentials()
    assert theirs.user
    assert "photos/notes.txt" in store.keys("images")
    for credentials in (WRONG, theirs):
        stranger = ObjectStore.__new__(ObjectStore)
        stranger.url, stranger.credentials = store.url, credentials
        if credentials is theirs:
            assert stranger.get(f"{uri}/notes.txt") == b""
            store.revoke(theirs)
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            stranger.get(f"{uri}/notes.txt")


def test_rows_are_those_of_the_same_local_folder_and_a_second_run_does_no_work(
    store: ObjectStore, uri: str, photos: Path, colour_model: Path, command: Command, tmp_path: Path
) -> None:
    local = command("clf-run", colour_model, "-s", photos, "-o", "local.csv")
    first = command("clf-run", colour_model, "-s", f"{uri}/", "-o", "rows.csv", env=store.environment())
    assert (local.returncode, first.returncode) == (1, 1), first.stderr
    ours, theirs = rows(tmp_path / "rows.csv"), rows(tmp_path / "local.csv")
    assert [row["path"].removeprefix(f"{uri}/") for row in ours] == [
        row["path"].removeprefix(f"{photos}/") for row in theirs
    ]
    same = ("status", "label", "confidence", "error", "detail", "width", "height", "size_bytes", "model")
    assert [[row[name] for name in same] for row in ours] == [[row[name] for name in same] for row in theirs]
    assert [row["error"] for row in ours if row["error"]] == ["truncated"]
    assert all(int(row["mtime_ns"]) > 10**18 for row in ours)

    second = command("clf-run", colour_model, "-s", f"{uri}/", "-o", "rows.csv", env=store.environment())
    assert second.returncode == 1
    assert "12 images are in rows.csv.journal already; going on from there" in second.stderr
    assert rows(tmp_path / "rows.csv") == ours


@pytest.mark.parametrize("problem", ["credentials", "bucket"])
def test_what_cannot_be_opened_is_one_sentence(
    problem: str, store: ObjectStore, uri: str, colour_model: Path, command: Command, tmp_path: Path
) -> None:
    wrong = problem == "credentials"
    source = uri if wrong else "s3://no-such-bucket/photos"
    done = command("clf-run", colour_model, "-s", source, "-o", "rows.csv", env=store.environment(WRONG if wrong else None))
    sentence = (
        f"access is denied (ACCESS_DENIED); check the credentials, whether they have expired and what they allow; {''}"
    )
    expected = f"{sentence}looked at are {LOOKED_AT}" if wrong else "there is no bucket 'no-such-bucket'; check the spelling"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {source} cannot be read: {expected}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "rows.csv").exists()


def test_an_object_that_is_not_there_is_a_row(
    store: ObjectStore, uri: str, colour_model: Path, command: Command, tmp_path: Path
) -> None:
    names = [f"{uri}/disc/disc000.png", f"{uri}/disc/gone.png", f"{uri}/disc/disc001.png"]
    (tmp_path / "list.txt").write_text("\n".join(names))
    done = command("clf-run", colour_model, "-s", "@list.txt", "-o", "rows.csv", env=store.environment())
    assert done.returncode == 1, done.stderr
    assert [(row["path"], row["error"]) for row in rows(tmp_path / "rows.csv")] == [
        (names[0], ""),
        (names[1], "not_found"),
        (names[2], ""),
    ]


def test_credentials_that_expire_end_the_run_which_goes_on_later_without_bad_rows(
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
    assert "its images were not recorded as bad; once it is back, repeat the command" in said

    again = command("clf-run", *arguments, input="\n".join(names), env=store.environment())
    assert again.returncode == 0, again.stderr
    assert "4 images are in rows.csv.journal already" in again.stderr
    assert [(row["path"], row["status"]) for row in rows(tmp_path / "rows.csv")] == [(name, "ok") for name in names]
