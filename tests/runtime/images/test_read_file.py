"""Reading the bytes of a file: only regular files are opened, and every failure has a reason."""

import os
from pathlib import Path

import pytest

from edgeclf.runtime import ImageError
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.decode import MAX_BYTES, read_file


def reason_of(path: str | Path) -> Reason:
    """The reason for which a file cannot be read."""
    with pytest.raises(ImageError) as caught:
        read_file(path)
    return caught.value.reason


@pytest.mark.parametrize("name", ["vanished.jpg", "file.txt/below.jpg"], ids=["missing", "below-a-file"])
def test_missing_file_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()

    assert reason_of(tmp_path / name) is Reason.NOT_FOUND


def test_dangling_link_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")

    assert reason_of(tmp_path / "link.jpg") is Reason.NOT_FOUND


def test_folder_is_not_a_file(tmp_path: Path) -> None:
    assert reason_of(tmp_path) is Reason.NOT_A_FILE


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jpg")

    assert reason_of(tmp_path / "x.jpg") is Reason.NOT_A_FILE


def test_device_is_not_opened() -> None:
    assert reason_of("/dev/null") is Reason.NOT_A_FILE


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a regular file whose reading fails even for root")
def test_file_whose_reading_fails_is_unreadable() -> None:
    assert reason_of("/proc/self/mem") is Reason.UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(0)

    assert reason_of(tmp_path / "secret.jpg") is Reason.UNREADABLE


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 300 + ".jpg"], ids=["nul", "too-long"])
def test_impossible_file_name_is_unreadable(name: str) -> None:
    assert reason_of(name) is Reason.UNREADABLE


def test_link_to_itself_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")

    assert reason_of(tmp_path / "loop.jpg") is Reason.UNREADABLE


def test_file_above_the_byte_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(MAX_BYTES + 1)

    assert reason_of(tmp_path / "large.jpg") is Reason.TOO_LARGE


def test_file_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.png")
    with open(path, "wb") as file:
        file.write(b"content")

    assert read_file(path) == b"content"
