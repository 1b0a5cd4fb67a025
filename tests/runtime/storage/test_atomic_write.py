"""A file gets its final name only when it is complete."""

import errno
import os
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder, publish, publish_bytes, publish_text
from edgeclf.runtime.storage.lock import try_lock


def write_and_fail(path: Path, *, keep_partial: bool) -> None:
    with publish(path, keep_partial=keep_partial) as file:
        file.write(b"half")
        raise RuntimeError


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with publish(tmp_path / "x") as file:
        file.write(b"whole")
        assert not (tmp_path / "x").exists()

    assert (tmp_path / "x").read_bytes() == b"whole"
    assert not (tmp_path / "x.part").exists()


def test_a_hidden_file_has_a_name_with_a_dot_until_the_block_ends(tmp_path: Path) -> None:
    with publish(tmp_path / "x", hidden=True) as file:
        file.write(b"whole")
        assert [path.name for path in tmp_path.iterdir()] == [".x.part"]

    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_second_writer_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with publish(tmp_path / "x") as file:
        file.write(b"first")
        file.flush()
        with pytest.raises(OutputError, match="another process"):
            publish_bytes(tmp_path / "x", b"second")

    assert (tmp_path / "x").read_bytes() == b"first"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "x", keep_partial=False)

    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_partial_file_on_request(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "x", keep_partial=True)

    assert [path.name for path in tmp_path.iterdir()] == ["x.part"]
    assert (tmp_path / "x.part").read_bytes() == b"half"


def test_a_failure_keeps_the_older_file(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "older")

    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "x", keep_partial=False)

    assert (tmp_path / "x").read_text() == "older"


def test_text_is_utf8(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "caf\u00e9")

    assert (tmp_path / "x").read_bytes() == b"caf\xc3\xa9"


@pytest.mark.parametrize("path", ["missing/x", "folder"])
def test_a_path_that_cannot_be_written_is_an_output_error(path: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(OutputError, match="cannot write"):
        publish_bytes(tmp_path / path, b"")


def test_a_full_disk_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="No space left on device"):
        publish_bytes(Path("/dev/full"), b"x")


def test_folders_are_created_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="Not a directory"):
        make_folder(tmp_path / "file" / "x")


def test_a_file_that_another_run_has_just_published_is_not_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, part = tmp_path / "results.csv", tmp_path / "results.csv.part"
    part.write_bytes(b"rows of the other run")

    def lock_after_the_other(descriptor: int) -> bool:
        os.replace(part, path)
        return try_lock(descriptor)

    monkeypatch.setattr("edgeclf.runtime.storage.atomic_write.try_lock", lock_after_the_other)

    with pytest.raises(OutputError, match="another process is writing"):
        publish_bytes(path, b"ours")

    assert path.read_bytes() == b"rows of the other run"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space or choose another place"),
        (errno.ENOENT, "make the folder results first"),
        (errno.EACCES, "choose another place"),
        (errno.EFBIG, "choose another place, which takes files of this size"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
    ],
)
def test_the_advice_fits_the_cause(number: int, advice: str) -> None:
    error = cannot_write(Path("results/rows.csv"), OSError(number, os.strerror(number)))

    assert str(error) == f"cannot write results/rows.csv: {os.strerror(number)}; {advice}"
