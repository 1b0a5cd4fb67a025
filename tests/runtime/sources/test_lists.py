"""Lists of paths in any encoding, from text files, tables and stdin; reading one never blocks on a pipe."""

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, OptionError, Reason, SourceError
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.source import Source
from edgeclf.runtime.terminal.masking import mask

Pipe = Callable[..., int]


def names(source: Source) -> list[str]:
    return [frame.name for frame in source if frame is not None]


def bytes_of(source: Source) -> list[bytes]:
    return [os.fsencode(name) for name in names(source)]


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """`pipe(data)` makes stdin a pipe that holds `data`, and returns its writing end, which the test closes."""
    reading, writing = os.pipe()
    with open(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        def fill(data: bytes = b"") -> int:
            os.write(writing, data)
            return writing

        yield fill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a.png\nb.png\n", [b"a.png", b"b.png"]),
        (b"a.png\nb.png", [b"a.png", b"b.png"]),
        (b"\n\na.png\n\n\n", [b"a.png"]),
        (b"a.png\r\nb.png\r\n\r\n", [b"a.png", b"b.png"]),
        (b"  a.png \n", [b"  a.png "]),
        (b"/x/../a.png\n./a.png\n", [b"/x/../a.png", b"./a.png"]),
        (b"a.png\na.png\n", [b"a.png", b"a.png"]),
        (b"caf\xe9.png\n", [b"caf\xe9.png"]),
        (b"folder\n", [b"folder"]),
    ],
    ids=["lines", "no last newline", "blank lines", "windows", "spaces", "dots", "twice", "not utf-8", "folder"],
)
def test_each_line_is_a_frame(text: bytes, expected: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(text)

    assert bytes_of(open_source("@list.txt")) == expected


def test_listed_path_is_a_frame_with_the_size_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"four")
    (tmp_path / "list.txt").write_text("a.png\nmissing.png\n")

    assert [frame and (frame.path, frame.size_bytes) for frame in open_source("@list.txt")] == [
        ("a.png", 4),
        ("missing.png", -1),
    ]


def test_list_is_counted_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n\nb.png\n")
    source = open_source("@list.txt")

    assert (source.count(), len(names(source)), len(names(source))) == (2, 2, 2)


def test_list_has_no_roots_and_no_prefix(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n")

    assert (open_source("@list.txt").roots(), open_source("@list.txt").prefixes) == ((), ("",))


@pytest.mark.parametrize("text", ["", "\n\n"], ids=["empty", "blank"])
def test_list_without_a_path_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(text)

    with pytest.raises(SourceError, match=r"'@list\.txt' names no images"):
        names(open_source("@list.txt"))


def test_path_with_a_nul_character_is_a_frame(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"a\0b.png\n")

    assert names(open_source("@list.txt")) == ["a\0b.png"]


def test_file_that_is_not_a_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(bytes(1 << 20))

    with pytest.raises(SourceError, match=r"film\.mp4.* a line of more than 65,536 bytes"):
        names(open_source("@film.mp4"))


@pytest.mark.parametrize("name", ["@missing.txt", "missing.csv:path", "@"])
def test_list_that_is_missing_is_an_error(name: str) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(name)


@pytest.mark.parametrize("name", ["@pipe.csv", "pipe.csv:path", "@/dev/zero", "@."])
def test_list_that_is_not_a_regular_file_is_never_opened(name: str) -> None:
    os.mkfifo("pipe.csv")

    with pytest.raises(SourceError, match="not a regular file"):
        open_source(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
@pytest.mark.parametrize("name", ["@list.csv", "list.csv:path"])
def test_list_that_may_not_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").touch(0)

    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        names(open_source(name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,label\na.png,cat\nb.png,dog\n", ["a.png", "b.png"]),
        ("label,path\r\ncat,a.png\r\n", ["a.png"]),
        ("\ufeffpath\na.png\n", ["a.png"]),
        ('path\n"a, ""b"".png"\n', ['a, "b".png']),
        ('path\n"two\nlines.png"\n', ["two\nlines.png"]),
        ("label,path\ncat,\ndog\nowl,a.png\n\n", ["a.png"]),
    ],
    ids=["first", "second", "byte order mark", "quotes", "newline", "empty cells"],
)
def test_each_cell_of_a_column_is_a_frame(text: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "list.CSV").write_text(text, newline="")

    assert names(open_source("list.CSV:path")) == expected
    assert open_source("list.CSV:path").count() == len(expected)


def test_column_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("image:path\na.png\n")

    assert names(open_source("list.csv:image:path")) == ["a.png"]


@pytest.mark.parametrize(("text", "columns"), [("path,label\n", "'path', 'label'"), ("", "none")], ids=["others", "none"])
def test_missing_column_is_an_error_that_names_the_existing_ones(text: str, columns: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)

    with pytest.raises(SourceError, match=f"has no column 'file'; it has {columns}"):
        open_source("list.csv:file")


def test_column_without_a_path_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\n")

    with pytest.raises(SourceError, match=r"'list\.csv:path' names no images"):
        names(open_source("list.csv:path"))


def test_damaged_table_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('path\na.png\n"b".png\n')

    with pytest.raises(SourceError, match="line 3 is not valid CSV"):
        names(open_source("list.csv:path"))


def test_existing_file_is_not_read_as_a_column(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\na.png\n")
    (tmp_path / "list.csv:path").touch()

    assert names(open_source("list.csv:path")) == ["list.csv:path"]


@pytest.mark.parametrize("name", ["-", "@list.txt"])
def test_existing_file_is_not_read_as_a_list_or_as_stdin(name: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n")
    (tmp_path / name).touch()

    assert names(open_source(name)) == [name]


def test_stdin_gives_one_frame_per_line(pipe: Pipe) -> None:
    os.close(pipe(b"a.png\r\n\ncaf\xe9.png\nlast.png"))

    assert bytes_of(open_source("-")) == [b"a.png", b"caf\xe9.png", b"last.png"]


def test_stdin_is_separated_by_nul_on_request(pipe: Pipe) -> None:
    os.close(pipe(b"two\nlines.png\0\0a.png\r\0last.png"))

    assert bytes_of(open_source("-", nul=True)) == [b"two\nlines.png", b"a.png\r", b"last.png"]


def test_stdin_gives_complete_lines_while_its_writer_pauses(pipe: Pipe) -> None:
    writer = pipe(b"a.png\nb.pn")
    frames = iter(open_source("-"))
    paused = [frame and frame.name for frame in (next(frames), next(frames), next(frames))]
    os.write(writer, b"g\n")
    os.close(writer)

    assert paused == ["a.png", None, None]
    assert [frame.name for frame in frames if frame] == ["b.png"]


def test_stdin_cannot_be_counted(pipe: Pipe) -> None:
    os.close(pipe(b"a.png\n"))

    assert open_source("-").count() == 0


def test_stdin_without_a_path_is_an_error(pipe: Pipe) -> None:
    os.close(pipe())

    with pytest.raises(SourceError, match="stdin names no images"):
        names(open_source("-"))


def test_stdin_that_is_not_a_list_is_refused(pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/zero") as zeros:
        monkeypatch.setattr("sys.stdin", zeros)

        with pytest.raises(SourceError, match="stdin has a line of more than"):
            names(open_source("-"))


def test_closed_stdin_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(SourceError, match="stdin is closed"):
        open_source("-")


@pytest.mark.parametrize(("sources", "nul"), [(("@list.txt",), True), (("-", "-"), False)], ids=["nul", "twice"])
def test_stdin_that_is_not_named_once_is_an_error(sources: tuple[str, ...], nul: bool) -> None:
    with pytest.raises(OptionError, match="stdin"):
        open_source(*sources, nul=nul)


def test_hostile_names_in_a_list_are_kept(hostile_names: frozenset[bytes], tmp_path: Path) -> None:
    in_a_line = {name for name in hostile_names if b"\n" not in name}
    (tmp_path / "list.txt").write_bytes(b"\n".join(in_a_line))

    assert set(bytes_of(open_source("@list.txt"))) == in_a_line


def test_hostile_names_in_a_table_are_kept(hostile_names: frozenset[bytes], tmp_path: Path) -> None:
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([["path"], *([os.fsdecode(name)] for name in hostile_names)])

    assert set(bytes_of(open_source("list.csv:path"))) == hostile_names


def test_hostile_names_from_stdin_are_kept(hostile_names: frozenset[bytes], pipe: Pipe) -> None:
    os.close(pipe(b"\0".join(hostile_names)))

    assert set(bytes_of(open_source("-", nul=True))) == hostile_names


@pytest.mark.parametrize("address", ["rtsp://ann:hunter2@10.0.0.7/live", "http://ann:p@hunter2#1@host.example/a.jpg"])
def test_address_in_a_list_is_an_error_without_its_password(address: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{address}\n")

    (frame,) = (frame for frame in open_source(f"@{tmp_path}/list.txt") if frame)

    assert frame.name == frame.path == mask(address)
    with pytest.raises(ImageError, match="an address") as raised:
        read_bytes(frame.image)  # type: ignore[arg-type]
    assert raised.value.reason is Reason.UNREADABLE
