"""Sorting: every image gets a path of its own below the folder, whatever its name and its class."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from edgeclf.runtime.errors import ImageError, OptionError, OutputError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sort_mode import SortMode
from edgeclf.runtime.results.sorting import Sorter, check_folders, folder_name

ROW = Row("a.jpg", "ok", "cat", 0.9)
UNSURE = Row("a.jpg", "unsure", "", 0.4)
FAILED = Row("a.jpg", "error", error="empty")
CONTENT = b"an image" * 1000
by_mode = pytest.mark.parametrize("mode", ["copy", "move", "link"])


class Member:
    """A file in an archive."""

    def read(self) -> bytes:
        return CONTENT


class Gone:
    """A file in an archive that no longer exists."""

    def read(self) -> bytes:
        raise ImageError(Reason.NOT_FOUND, "gone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    """An image in a sub-folder of its source."""
    return image(tmp_path, "in", "day/a.jpg")


def image(tmp_path: Path, source: str, path: str, content: bytes = CONTENT) -> Frame:
    file = tmp_path / source / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, ns=(10**18, 10**18))
    return Frame(str(file), str(file), path, size_bytes=len(content), mtime_ns=10**18)


def member(path: str = "day/a.jpg", stored: object = None) -> Frame:
    return Frame(f"a.zip/{path}", stored or Member(), path, size_bytes=len(CONTENT), mtime_ns=77)  # type: ignore[arg-type]


def sort(sorter: Sorter, frame: Frame, row: Row = ROW) -> str:
    destination = sorter.destination(frame, row)
    sorter.perform(frame, destination)
    return destination


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("mode", get_args(SortMode))
@pytest.mark.parametrize(
    ("row", "place"), [(ROW, "cat/day/a.jpg"), (UNSURE, "unsure/day/a.jpg"), (FAILED, "")], ids=["ok", "unsure", "error"]
)
def test_the_destination_is_the_class_and_the_path_in_the_source(
    mode: SortMode, row: Row, place: str, frame: Frame, folder: Path
) -> None:
    assert Sorter(mode, folder).destination(frame, row) == (str(folder / place) if place else "")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data/in/a.jpg", "data/in/a.jpg"),
        ("../../a.jpg", "a.jpg"),
        ("in/../../../a.jpg", "in/a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("..", "image"),
        ("x\0y/a\0.jpg", "x%00y/a%00.jpg"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("a." + "x" * 300, "a." + "x" * 253),
        ("\u72ac" * 100 + ".jpg", "\u72ac" * 83 + ".jpg"),
        (os.fsdecode(b"caf\xe9\n.jpg"), os.fsdecode(b"caf\xe9\n.jpg")),
    ],
    ids=["absolute", "up", "up-and-down", "here", "only-up", "nul", "long", "long-extension", "long-in-bytes", "latin-1"],
)
def test_the_destination_lies_below_the_folder_whatever_the_path(path: str, place: str, folder: Path) -> None:
    assert Sorter("copy", folder).destination(member(path), ROW) == f"{folder}/cat/{place}"


@pytest.mark.parametrize(
    "label",
    [
        "/",
        "..",
        ".",
        "",
        "a/b",
        "../../x",
        "\0",
        "unsure",
        "Unsure",
        ".git",
        "a\nb",
        "\ud800",
        "caf\udce9",
        "x" * 300,
        "C:\\x",
    ],
)
def test_every_class_gets_one_visible_folder(label: str, folder: Path, frame: Frame) -> None:
    sort(Sorter("copy", folder), frame, replace(ROW, label=label))

    (made,) = folder.iterdir()
    assert not made.name.startswith(".")
    assert made.name.casefold() != "unsure"
    assert files(made) == ["day/a.jpg"]


def test_no_two_classes_share_a_folder() -> None:
    labels = [
        "",
        "%",
        "%%",
        "%25",
        "/",
        "%2F",
        ".",
        "%2E",
        "..",
        "unsure",
        "%75nsure",
        " ",
        "x" * 300,
        "x" * 301,
        "x",
        "a",
        "A",
    ]

    assert len({folder_name(label) for label in labels}) == len(labels)


@pytest.mark.parametrize("label", ["tabby cat", "caf\u00e9", "\u72ac", "n02123045", "it's", "a.b", "tench, Tinca tinca"])
def test_an_ordinary_class_name_is_the_folder_name(label: str) -> None:
    assert folder_name(label) == label


@pytest.mark.parametrize("mode", get_args(SortMode))
def test_a_destination_is_chosen_once(mode: SortMode, tmp_path: Path, folder: Path) -> None:
    sorter = Sorter(mode, folder)

    places = [sorter.destination(image(tmp_path, source, "a.jpg"), ROW) for source in ("in1", "in2", "in3")]

    assert [os.path.basename(place) for place in places] == ["a.jpg", "a (2).jpg", "a (3).jpg"]


@by_mode
def test_a_destination_is_not_chosen_again_after_it_was_filled(mode: SortMode, tmp_path: Path, folder: Path) -> None:
    sorter = Sorter(mode, folder)

    places = [sort(sorter, image(tmp_path, source, "a.jpg")) for source in ("in1", "in2")]

    assert [os.path.basename(place) for place in places] == ["a.jpg", "a (2).jpg"]


@by_mode
@pytest.mark.parametrize("content", [b"", CONTENT[:-1] + b"X"], ids=["empty", "same-size"])
def test_an_existing_file_is_avoided(mode: SortMode, content: bytes, frame: Frame, folder: Path) -> None:
    (folder / "cat" / "day").mkdir(parents=True)
    (folder / "cat" / "day" / "a.jpg").write_bytes(content)

    sort(Sorter(mode, folder), frame)

    assert files(folder) == ["cat/day/a (2).jpg", "cat/day/a.jpg"]
    assert (folder / "cat" / "day" / "a.jpg").read_bytes() == content
    assert (folder / "cat" / "day" / "a (2).jpg").read_bytes() == CONTENT


@by_mode
def test_a_dangling_link_is_avoided(mode: SortMode, frame: Frame, folder: Path) -> None:
    (folder / "cat" / "day").mkdir(parents=True)
    (folder / "cat" / "day" / "a.jpg").symlink_to("nowhere")

    assert sort(Sorter(mode, folder), frame).endswith("a (2).jpg")


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_the_copy_or_link_of_a_killed_run_is_recognised(mode: SortMode, frame: Frame, folder: Path) -> None:
    first = sort(Sorter(mode, folder), frame)
    again = sort(Sorter(mode, folder), frame)

    assert again == first
    assert files(folder) == ["cat/day/a.jpg"]


def test_the_copy_of_an_archive_member_by_a_killed_run_is_recognised(folder: Path) -> None:
    assert sort(Sorter("copy", folder), member()) == sort(Sorter("copy", folder), member())


def test_a_hard_link_to_a_moved_image_is_moved_too(tmp_path: Path, folder: Path) -> None:
    first, second = image(tmp_path, "in1", "a.jpg"), Frame("x", str(tmp_path / "in2.jpg"), "a.jpg")
    os.link(str(first.image), str(second.image))
    sort(Sorter("move", folder), first)

    sort(Sorter("move", folder), second)

    assert files(folder) == ["cat/a (2).jpg", "cat/a.jpg"]


def test_an_image_that_is_at_its_destination_stays(tmp_path: Path) -> None:
    frame = image(tmp_path, "sorted/cat", "a.jpg")

    destination = sort(Sorter("move", tmp_path / "sorted"), frame)

    assert destination == frame.image
    assert files(tmp_path) == ["sorted/cat/a.jpg"]


def test_an_image_is_not_its_own_copy(tmp_path: Path) -> None:
    assert sort(Sorter("copy", tmp_path / "sorted"), image(tmp_path, "sorted/cat", "a.jpg")).endswith("a (2).jpg")


def test_a_plan_changes_nothing(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("plan", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["in/day/a.jpg"]
    assert not (tmp_path / "sorted").exists()


def test_a_plan_avoids_the_reserved_paths_of_an_earlier_run(frame: Frame, folder: Path) -> None:
    sorter = Sorter("plan", folder)
    sorter.reserve(Sorter("plan", folder).destination(frame, ROW))

    assert sorter.destination(frame, ROW).endswith("a (2).jpg")


def test_a_copy_leaves_the_image_where_it_is(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("copy", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["in/day/a.jpg", "sorted/cat/day/a.jpg"]
    assert (tmp_path / "sorted/cat/day/a.jpg").stat().st_mtime_ns == 10**18


def test_a_move_does_not_leave_the_image(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("move", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["sorted/cat/day/a.jpg"]


def test_a_link_leads_to_the_image(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("link", tmp_path / "sorted"), frame)

    assert os.readlink(tmp_path / "sorted/cat/day/a.jpg") == frame.image


def test_an_archive_member_is_copied(folder: Path) -> None:
    sort(Sorter("copy", folder), member())

    assert (folder / "cat/day/a.jpg").read_bytes() == CONTENT


@pytest.mark.parametrize("mode", ["move", "link"])
@pytest.mark.parametrize("call", [Sorter.destination, Sorter.perform], ids=["destination", "perform"])
def test_an_archive_member_cannot_be_moved_or_linked(
    mode: SortMode, call: Callable[[Sorter, Frame, object], object], folder: Path
) -> None:
    with pytest.raises(OptionError, match=rf"^a.zip/day/a.jpg .*--sort {mode} .*--sort copy"):
        call(Sorter(mode, folder), member(), ROW if call is Sorter.destination else str(folder / "x"))


@by_mode
def test_performing_again_after_a_kill_changes_nothing(mode: SortMode, frame: Frame, tmp_path: Path) -> None:
    destination = sort(Sorter(mode, tmp_path / "sorted"), frame)
    before = files(tmp_path)
    sorter = Sorter(mode, tmp_path / "sorted")

    sorter.perform(frame, destination)

    assert files(tmp_path) == before
    assert sorter.vanished == 0


@by_mode
def test_an_image_that_vanished_is_counted_and_not_an_error(mode: SortMode, frame: Frame, folder: Path) -> None:
    os.unlink(str(frame.image))
    sorter = Sorter(mode, folder)

    sorter.perform(frame, str(folder / "cat" / "a.jpg"))

    assert sorter.vanished == 1
    assert not folder.exists() or files(folder) == []


def test_an_archive_member_that_vanished_is_counted_and_not_an_error(folder: Path) -> None:
    sorter = Sorter("copy", folder)

    sorter.perform(member(stored=Gone()), str(folder / "cat" / "a.jpg"))

    assert sorter.vanished == 1


@by_mode
def test_a_folder_that_replaced_an_image_is_not_sorted(mode: SortMode, frame: Frame, folder: Path) -> None:
    os.unlink(str(frame.image))
    os.mkdir(str(frame.image))
    sorter = Sorter(mode, folder)

    sorter.perform(frame, str(folder / "cat" / "a.jpg"))

    assert os.path.isdir(str(frame.image))
    assert sorter.vanished == 1


@by_mode
def test_a_file_that_appeared_at_the_destination_is_an_output_error(mode: SortMode, frame: Frame, folder: Path) -> None:
    sorter = Sorter(mode, folder)
    destination = Path(sorter.destination(frame, ROW))
    destination.parent.mkdir(parents=True)
    destination.write_bytes(b"other")

    with pytest.raises(OutputError, match=r"^cannot sort .*/in/day/a.jpg to .*/a.jpg: something else"):
        sorter.perform(frame, str(destination))

    assert (destination.read_bytes(), Path(frame.name).read_bytes()) == (b"other", CONTENT)


@pytest.mark.parametrize("stored", [True, False], ids=["member", "file"])
def test_a_full_disk_is_an_output_error_and_leaves_nothing(
    stored: bool, frame: Frame, folder: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OutputError, match=r"^cannot sort .*: File too large"):
        sort(Sorter("copy", folder), member() if stored else frame)

    assert files(folder) == []


@by_mode
def test_a_folder_below_a_file_is_an_output_error(mode: SortMode, frame: Frame, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"^cannot sort .*"):
        sort(Sorter(mode, tmp_path / "file" / "sorted"), frame)

    assert Path(frame.name).read_bytes() == CONTENT


@by_mode
def test_the_journal_fields_say_what_will_be_done(
    mode: SortMode, frame: Frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = replace(frame, name="in/day/a.jpg", image="in/day/a.jpg")

    assert Sorter(mode, Path("sorted")).journal_fields(frame, "sorted/cat/day/a.jpg") == {
        "how": mode,
        "from": str(tmp_path / "in/day/a.jpg"),
        "to": str(tmp_path / "sorted/cat/day/a.jpg"),
        "size": len(CONTENT),
        "mtime_ns": 10**18,
        "made": 3,
    }


def test_a_plan_has_no_journal_fields(frame: Frame, folder: Path) -> None:
    assert Sorter("plan", folder).journal_fields(frame, str(folder / "a.jpg")) is None


@pytest.mark.parametrize(
    ("sort_dir", "root"),
    [
        ("in/sorted", "in"),
        ("in", "in"),
        ("in/a/b", "in/"),
        ("linked/sorted", "in"),
        ("out", "out/cat"),
        ("out", "out/unsure/x"),
    ],
    ids=["inside", "itself", "deep", "through-a-link", "filled-from-itself", "unsure-filled"],
)
def test_sorting_into_a_source_is_refused(sort_dir: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("linked").symlink_to("in")

    with pytest.raises(OptionError, match=rf"^--sort-dir {sort_dir} .*{root}.* found again"):
        check_folders(["elsewhere", root], Path(sort_dir), ["cat", "dog"])


@pytest.mark.parametrize(
    ("sort_dir", "root"), [("sorted", "in"), ("in2", "in"), ("out", "out/inbox"), ("out", "out/catalogue")]
)
def test_sorting_beside_a_source_is_accepted(
    sort_dir: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    check_folders([root], Path(sort_dir), ["cat", "dog"])


def test_sorting_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OptionError, match="is not a folder"):
        check_folders([], tmp_path / "file")
