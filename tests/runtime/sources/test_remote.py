"""Images behind a URI give the same frames as a local folder. fsspec's `local://` and `zip://` need no network."""

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
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.source import Source
from tests.support.archives import read

NAMES = ["b.PNG", "a.png", "a/1.png", "a/2.jpg", "note.txt", ".hidden.png", ".cache/x.png", ".cache/y.png", "c/.d/e/f.png"]
NAMES += ["a/@eaDir/1.png/x.png", "a/@eaDir/1.png/y.png", "$RECYCLE.BIN/1.png"]


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
        read_bytes(frame.image)  # type: ignore[arg-type]
    return error.value.reason, error.value.errno


def test_a_folder_gives_the_frames_of_the_same_local_folder(folder: Path, png: bytes) -> None:
    remote, local = open_source(f"local://{folder}/"), open_source(str(folder))
    remote_frames, local_frames = frames(remote), frames(local)
    assert [(frame.path, frame.size_bytes, frame.source) for frame in remote_frames] == [
        (frame.path, frame.size_bytes, frame.source) for frame in local_frames
    ]
    assert [frame.name for frame in remote_frames] == [f"local://{frame.name}" for frame in local_frames]
    assert [frame.name for frame in remote_frames] == [remote.prefixes[frame.source] + frame.path for frame in remote_frames]
    assert (remote.skipped, remote.count()) == (local.skipped, local.count()) == (6, 4)
    assert (remote.roots(), remote.folders()) == ((), ())
    assert {read_bytes(pickle.loads(pickle.dumps(frame)).image) for frame in remote_frames} == {png}


def test_one_file_is_a_frame_whatever_its_extension(folder: Path, png: bytes) -> None:
    source = open_source(f"local://{folder}/note.txt", f"local://{folder}/a.png")
    assert [(frame.name, frame.path, frame.source) for frame in source if frame] == [
        (f"local://{folder}/note.txt", f"local://{folder}/note.txt", 0),
        (f"local://{folder}/a.png", f"local://{folder}/a.png", 1),
    ]
    assert (source.prefixes, source.count()) == (("", ""), 2)
    assert {(frame.size_bytes, read_bytes(frame.image)) for frame in source if frame} == {(len(png), png)}  # type: ignore[arg-type]


def test_a_file_uri_is_the_local_folder(folder: Path) -> None:
    assert frames(open_source(f"file://{folder}")) == frames(open_source(str(folder)))
    assert frames(open_source(f"file://{folder}/*.png")) == frames(open_source(f"{folder}/*.png"))


def test_a_chain_of_schemes_is_read(tmp_path: Path, png: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.png", png)
    (frame,) = frames(open_source(f"zip://::file://{tmp_path}/a.zip"))
    assert (frame.path, read_bytes(frame.image)) == ("in/a.png", png)  # type: ignore[arg-type]


def test_lists_may_hold_uris(folder: Path, tmp_path: Path) -> None:
    lines = [f"local://{folder}/a.png", str(folder / "b.PNG"), f"file://{folder}/a/1.png", f"local://{folder}/none.png"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "list.csv").write_text("name\n" + "\n".join(lines))
    for name in (f"@{tmp_path}/list.txt", f"{tmp_path}/list.csv:name"):
        remote, plain, file, missing = frames(open_source(name))
        assert [frame.name for frame in (remote, plain, file, missing)] == [*lines[:2], f"{folder}/a/1.png", lines[3]]
        assert len({read_bytes(frame.image) for frame in (remote, plain, file)}) == 1  # type: ignore[arg-type]
        assert failure(missing)[0] is Reason.NOT_FOUND


def test_stdin_may_hold_uris(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with open(reader) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(writer, f"local://{folder}/a.png\n".encode())
        os.close(writer)
        (frame,) = frames(open_source("-"))
    assert len(read_bytes(frame.image)) == (folder / "a.png").stat().st_size  # type: ignore[arg-type]


def test_a_video_in_a_list_is_an_error_frame_and_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("s3://bucket/film.mp4")
    (frame,) = frames(open_source(f"@{tmp_path}/list.txt"))
    assert (frame.name, failure(frame)) == ("s3://bucket/film.mp4", (Reason.NOT_AN_IMAGE, None))


def test_an_image_that_has_vanished_is_not_found(folder: Path) -> None:
    source = frames(open_source(f"local://{folder}"))
    (folder / "a.png").unlink()
    assert [frame.path for frame in source if isinstance(read(frame), Reason)] == ["a.png"]
    assert failure(next(frame for frame in source if frame.path == "a.png"))[0] is Reason.NOT_FOUND


def test_an_impossible_name_is_not_blamed_on_the_store(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"s3://bucket/a//b.png?region=us-east-1\ns3://bucket/caf\xe9.png?region=us-east-1")
    first, second = frames(open_source(f"@{tmp_path}/list.txt"))
    assert (first.name, failure(first)) == ("s3://bucket/a//b.png", (Reason.UNREADABLE, errno.EINVAL))
    assert failure(second) == (Reason.UNREADABLE, errno.EINVAL)


def test_a_huge_file_is_not_read(folder: Path) -> None:
    with open(folder / "a.png", "r+b") as file:
        file.truncate(MAX_BYTES + 1)
    frame = next(frame for frame in frames(open_source(f"local://{folder}")) if frame.path == "a.png")
    (folder / "a.png").unlink()
    assert failure(frame)[0] is Reason.TOO_LARGE  # an attempt to read it would find nothing


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(NoImagesError, match=f"'local://{tmp_path}' holds no images"):
        list(open_source(f"local://{tmp_path}"))


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("local:///no/such/folder", "does not exist, although its store can be read"),
        ("local:///no/such/*.png", "patterns work for local files only"),
        ("s3://bucket/film.mp4", "are read from local disks only"),
        ("s3://bucket/images.zip", "are read from local disks only"),
        ("@s3://bucket/list.txt", "are read from local disks only"),
        ("s3://bucket/list.csv:name", "are read from local disks only"),
        ("nonsense://bucket", "does not exist"),
    ],
)
def test_names_that_a_store_cannot_serve_are_refused(name: str, keyword: str) -> None:
    with pytest.raises(SourceError) as error:
        open_source(name)
    assert keyword in str(error.value)


def test_only_local_folders_can_be_watched(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"--watch .*s3://bucket/photos"):
        open_source("s3://bucket/photos", watch=True)
    assert open_source(f"file://{folder}", watch=True).names == (str(folder),)


def test_credentials_never_reach_a_row(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("s3://key:hush@bucket/a.png")
    with pytest.raises(OptionError, match="credentials in a URI"):
        list(open_source(f"@{tmp_path}/list.txt"))
