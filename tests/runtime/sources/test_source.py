"""Sources: how a name is read, and several names as one stream."""

import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import NoImagesError, OptionError, SourceError
from edgeclf.runtime.sources.sampling import Sampling
from tests.support.archives import write_archive
from tests.support.video_files import noise, write_video


def names(*sources: str | Path) -> list[str]:
    return [frame.name for frame in open_source(*map(os.fspath, sources)) if frame is not None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: b.png, a/2.jpg, notes.txt, empty/, list.txt with the line b.png, and photos.zip with z.png."""
    (tmp_path / "a").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("b.png", "a/2.jpg", "a/none", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("b.png\n")
    write_archive(tmp_path / "photos.zip", {"z.png": b"x"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", ["missing", "missing.jpg", "", "missing.zip", "a/", "\0"])
def test_source_that_does_not_exist_is_an_error(source: str) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(source)


@pytest.mark.parametrize("name", ["notes.txt", "a/none", "b.png"])
def test_named_file_is_a_frame_whatever_its_extension(name: str, tree: Path) -> None:
    assert names(tree / name) == [f"{tree}/{name}"]
    assert open_source(name).prefixes == ("",)
    assert open_source(name).roots() == ()
    assert open_source(name).count() == 1


@pytest.mark.parametrize("name", ["a[1].png", "what?.png", "*.png", "**", "@list.txt", "-", "list.csv:path", "@", "x.zip:y"])
def test_existing_file_is_never_read_another_way(name: str, tree: Path) -> None:
    (tree / name).touch()

    assert names(name) == [name]


@pytest.mark.parametrize("name", ["run[1]", "@list.txt", "-", "list.csv:path", "x.tar"])
def test_existing_folder_is_never_read_another_way(name: str, tree: Path) -> None:
    (tree / name).mkdir()
    (tree / name / "x.png").touch()

    assert names(name) == [f"{name}/x.png"]


def test_named_dangling_link_is_a_frame(tree: Path) -> None:
    (tree / "z.png").symlink_to("nowhere.png")

    assert names("z.png") == ["z.png"]


def test_named_link_to_a_folder_is_entered(tree: Path) -> None:
    (tree / "link").symlink_to("a", target_is_directory=True)

    assert names("link") == ["link/2.jpg"]


def test_several_names_come_in_their_order(tree: Path) -> None:
    assert names("photos.zip", "b.png", "a", "@list.txt", "*.png", "b.png") == [
        "photos.zip/z.png",
        "b.png",
        "a/2.jpg",
        "b.png",
        "b.png",
        "b.png",
    ]


def test_name_is_the_prefix_of_its_source_and_its_path(tree: Path) -> None:
    source = open_source("photos.zip", "b.png", "a", "@list.txt", "*.png", "a/")

    assert source.names == ("photos.zip", "b.png", "a", "@list.txt", "*.png", "a/")
    assert source.prefixes == ("photos.zip/", "", "a/", "", "", "a/")
    assert [frame.source for frame in source if frame] == [0, 1, 2, 3, 4, 5]
    assert [frame.name for frame in source if frame] == [
        source.prefixes[frame.source] + frame.path for frame in source if frame
    ]


def test_counts_of_several_names_add_up(tree: Path) -> None:
    source = open_source("a", "photos.zip", "a")

    assert (source.count(), len(list(source)), source.skipped) == (3, 3, 2)


def test_skipped_files_are_counted_from_zero_in_each_iteration(tree: Path) -> None:
    source = open_source("a")

    assert (list(source) and source.skipped, list(source) and source.skipped) == (1, 1)


def test_count_is_unknown_if_one_of_several_is(tree: Path) -> None:
    write_archive(tree / "photos.tar.gz", {"x.png": b"x"})

    assert open_source("a", "photos.tar.gz").count() == 0


def test_roots_of_several_names_are_joined(tree: Path) -> None:
    assert open_source("a", "b.png", "photos.zip", "a/*.jpg", "@list.txt").roots() == ("a", "photos.zip", "a")


def test_empty_folder_among_others_is_no_error(tree: Path) -> None:
    assert names("empty", "b.png", "empty") == ["b.png"]


def test_no_image_in_several_names_is_an_error_that_names_them(tree: Path) -> None:
    (tree / "list.txt").write_text("\n")

    with pytest.raises(NoImagesError, match=r"'empty' holds no images .*; '@list\.txt' names no images"):
        names("empty", "@list.txt")


def test_no_name_is_an_error() -> None:
    with pytest.raises(OptionError, match="no source is named"):
        open_source()


def test_a_mistyped_address_shows_no_password() -> None:
    with pytest.raises(SourceError, match="does not exist") as refused:
        open_source("rstp://ann:secret@10.0.0.7/live")
    assert "secret" not in str(refused.value)


def test_missing_one_of_several_names_is_an_error_at_once(tree: Path) -> None:
    with pytest.raises(SourceError, match="'missing' does not exist"):
        open_source("a", "missing")


@pytest.mark.parametrize("sampling", [Sampling(2), Sampling(every_s=1)], ids=["stride", "every"])
@pytest.mark.parametrize("watch", [False, True])
def test_sampling_is_refused_if_no_source_is_a_video(sampling: Sampling, watch: bool, tree: Path) -> None:
    with pytest.raises(OptionError, match=r"(--vid-stride|--every) is for videos.*no source is one"):
        open_source("a", sampling=sampling, watch=watch)


def test_a_video_and_images_are_one_stream_and_only_the_video_is_sampled(tree: Path) -> None:
    write_video(tree / "ffv1.mkv", noise(5))
    source = open_source("b.png", "ffv1.mkv", "a", sampling=Sampling(4))

    assert [frame.name for frame in source if frame] == ["b.png", "ffv1.mkv#frame=0", "ffv1.mkv#frame=4", "a/2.jpg"]
    assert (source.count(), source.prefixes, source.roots()) == (4, ("", "ffv1.mkv", "a/"), ("ffv1.mkv", "a"))


def test_large_folder_takes_memory_only_for_its_names(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "first.png").touch()
    for number in range(2000):
        os.link(tmp_path / "first.png", tmp_path / "many" / f"{number:05}.png")
    source = open_source(f"{tmp_path}/many")

    tracemalloc.start()
    count = sum(1 for _ in source)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 2000
    assert peak_bytes < count * 100


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_source_may_have_any_name(tree: Path, hostile_names: frozenset[bytes]) -> None:
    for name in hostile_names:
        (tree / os.fsdecode(name)).touch()

    assert set(map(os.fsencode, names(*map(os.fsdecode, hostile_names)))) == hostile_names


@pytest.mark.parametrize("source", ["*.mkv", "@list.txt", "list.csv:file"])
def test_videos_in_a_pattern_or_a_list_give_all_of_their_frames(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mkv", "b.mkv"):
        write_video(tmp_path / name, noise(4), codec="FFV1")
    (tmp_path / "list.txt").write_text("a.mkv\nb.mkv\n")
    (tmp_path / "list.csv").write_text("file\na.mkv\nb.mkv\n")

    opened = open_source(source, sampling=Sampling(2))
    frames = [frame for frame in opened if frame]
    assert [frame.name for frame in frames] == ["a.mkv#frame=0", "a.mkv#frame=2", "b.mkv#frame=0", "b.mkv#frame=2"]
    assert [opened.prefixes[frame.source] + frame.path for frame in frames] == [frame.name for frame in frames]


def test_a_missing_video_in_a_list_is_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("gone.mkv\n")
    assert [frame.name for frame in open_source("@list.txt") if frame] == ["gone.mkv"]
