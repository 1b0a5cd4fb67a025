"""Images behind a URI are the frames that a local folder gives. fsspec's `local://` and `zip://` need no network."""

import errno
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, NoImagesError, OptionError, Reason, SourceError
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import contents
from edgeclf.runtime.sources.source import Source

NAMES = ["b.PNG", "a.png", "a/1.png", "a/2.jpg", "note.txt", ".hidden.png", ".cache/x.png", ".cache/y.png", "c/.d/e/f.png"]


@pytest.fixture
def folder(tmp_path: Path, png: bytes) -> Path:
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    return tmp_path / "photos"


def frames(source: Source) -> list[Frame]:
    return [frame for frame in source if frame is not None]


def failure(frame: Frame) -> tuple[Reason, int | None]:
    with pytest.raises(ImageError) as error:
        contents(frame.image)  # type: ignore[arg-type]
    return error.value.reason, error.value.errno


def test_a_folder_gives_the_frames_of_the_same_local_folder(folder: Path, png: bytes) -> None:
    remote, local = open_source(f"local://{folder}/"), open_source(str(folder))
    ours, theirs = frames(remote), frames(local)
    assert [(one.path, one.size_bytes, one.source) for one in ours] == [(it.path, it.size_bytes, it.source) for it in theirs]
    assert [one.name for one in ours] == [f"local://{it.name}" for it in theirs]
    assert [one.name for one in ours] == [remote.prefixes[one.source] + one.path for one in ours]
    assert (remote.skipped, remote.count()) == (local.skipped, local.count()) == (4, 4)
    assert (remote.roots(), remote.folders()) == ((), ())
    assert {contents(pickle.loads(pickle.dumps(one)).image) for one in ours} == {png}


def test_one_image_is_a_frame_whatever_it_is_called(folder: Path, png: bytes) -> None:
    source = open_source(f"local://{folder}/note.txt", f"local://{folder}/a.png")
    assert [(one.name, one.path, one.source) for one in source if one] == [
        (f"local://{folder}/note.txt", f"local://{folder}/note.txt", 0),
        (f"local://{folder}/a.png", f"local://{folder}/a.png", 1),
    ]
    assert (source.prefixes, source.count()) == (("", ""), 2)
    assert {(one.size_bytes, contents(one.image)) for one in source if one} == {(len(png), png)}  # type: ignore[arg-type]


def test_a_file_uri_is_the_local_folder(folder: Path) -> None:
    assert frames(open_source(f"file://{folder}")) == frames(open_source(str(folder)))
    assert frames(open_source(f"file://{folder}/*.png")) == frames(open_source(f"{folder}/*.png"))


def test_a_chain_of_schemes_is_read(tmp_path: Path, png: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.png", png)
    (frame,) = frames(open_source(f"zip://::file://{tmp_path}/a.zip"))
    assert (frame.path, contents(frame.image)) == ("in/a.png", png)  # type: ignore[arg-type]


def test_lists_may_hold_uris(folder: Path, tmp_path: Path) -> None:
    lines = [f"local://{folder}/a.png", str(folder / "b.PNG"), f"file://{folder}/a/1.png", f"local://{folder}/none.png"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "list.csv").write_text("name\n" + "\n".join(lines))
    for name in (f"@{tmp_path}/list.txt", f"{tmp_path}/list.csv:name"):
        remote, plain, file, missing = frames(open_source(name))
        assert [one.name for one in (remote, plain, file, missing)] == [*lines[:2], f"{folder}/a/1.png", lines[3]]
        assert len({contents(one.image) for one in (remote, plain, file)}) == 1  # type: ignore[arg-type]
        assert failure(missing)[0] is Reason.NOT_FOUND


def test_stdin_may_hold_uris(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with open(reader) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(writer, f"local://{folder}/a.png\n".encode())
        os.close(writer)
        (frame,) = frames(open_source("-"))
    assert len(contents(frame.image)) == (folder / "a.png").stat().st_size  # type: ignore[arg-type]


def test_a_film_in_a_list_is_a_row_and_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("s3://bucket/film.mp4")
    (frame,) = frames(open_source(f"@{tmp_path}/list.txt"))
    assert (frame.name, failure(frame)) == ("s3://bucket/film.mp4", (Reason.NOT_AN_IMAGE, None))


def test_an_image_that_has_vanished_is_a_row(folder: Path) -> None:
    source = frames(open_source(f"local://{folder}"))
    (folder / "a.png").unlink()
    assert [one.path for one in source if isinstance(_read(one), Reason)] == ["a.png"]
    assert failure(next(one for one in source if one.path == "a.png"))[0] is Reason.NOT_FOUND


def test_a_name_that_no_file_can_have_is_not_the_fault_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"s3://bucket/a//b.png?region=us-east-1\ns3://bucket/caf\xe9.png?region=us-east-1")
    first, second = frames(open_source(f"@{tmp_path}/list.txt"))
    assert (first.name, failure(first)) == ("s3://bucket/a//b.png", (Reason.UNREADABLE, errno.EINVAL))
    assert failure(second) == (Reason.UNREADABLE, errno.EINVAL)


def test_a_huge_file_is_not_read(folder: Path) -> None:
    with open(folder / "a.png", "r+b") as file:
        file.truncate(MAX_BYTES + 1)
    frame = next(one for one in frames(open_source(f"local://{folder}")) if one.path == "a.png")
    (folder / "a.png").unlink()
    assert failure(frame)[0] is Reason.TOO_LARGE  # who tries to read it finds none


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(NoImagesError, match=f"'local://{tmp_path}' holds no images"):
        list(open_source(f"local://{tmp_path}"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("local:///no/such/folder", "does not exist, though its store can be read; name a folder"),
        ("local:///no/such/*.png", "does not exist, and patterns are for local folders; name the folder"),
        ("s3://bucket/film.mp4", "videos, archives and lists are read from local disks only; download it"),
        ("s3://bucket/images.zip", "videos, archives and lists are read from local disks only; download it"),
        ("@s3://bucket/list.txt", "videos, archives and lists are read from local disks only; download it"),
        ("s3://bucket/list.csv:name", "videos, archives and lists are read from local disks only; download it"),
        ("nonsense://bucket", "does not exist; --source takes"),
    ],
)
def test_what_is_not_read_from_a_store_says_what_to_do(name: str, sentence: str) -> None:
    with pytest.raises(SourceError) as error:
        open_source(name)
    assert sentence in str(error.value)


def test_watching_is_for_local_folders(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"--watch waits for images in local folders.* repeat the command"):
        open_source("s3://bucket/photos", watch=True)
    assert open_source(f"file://{folder}", watch=True).names == (str(folder),)


def test_credentials_never_reach_a_row(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("s3://key:hush@bucket/a.png")
    with pytest.raises(OptionError, match="credentials in a URI"):
        list(open_source(f"@{tmp_path}/list.txt"))


def _read(frame: Frame) -> bytes | Reason:
    try:
        return contents(frame.image)  # type: ignore[arg-type]
    except ImageError as error:
        return error.reason
