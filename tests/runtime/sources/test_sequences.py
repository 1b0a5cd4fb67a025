"""Numbered images named as for printf."""

import os
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import NoImagesError, OptionError, SourceError
from edgeclf.runtime.sources.sampling import Sampling


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def names(source: str, sampling: Sampling = Sampling()) -> list[str]:  # noqa: B008 (frozen)
    return [frame.name for frame in open_source(source, sampling=sampling) if frame]


def test_files_come_in_the_order_of_their_numbers_with_gaps() -> None:
    touch("a/f_10.png", "a/f_9.png", "a/f_2.png", "a/f_100.png")

    assert names("a/f_%d.png") == ["a/f_2.png", "a/f_9.png", "a/f_10.png", "a/f_100.png"]


def test_padded_numbers_may_exceed_their_width() -> None:
    touch("f_001.png", "f_999.png", "f_1000.png", "f_12345.png", "f_1.png", "f_0002.png", "f_01.png")

    assert names("f_%03d.png") == ["f_001.png", "f_999.png", "f_1000.png", "f_12345.png"]


def test_without_padding_a_leading_zero_is_another_name() -> None:
    touch("f_0.png", "f_1.png", "f_02.png")

    assert names("f_%d.png") == ["f_0.png", "f_1.png"]


def test_other_files_and_folders_are_ignored() -> None:
    touch(
        "f_1.png",
        "f_2.jpg",
        "xf_3.png",
        "f_4.png.bak",
        "f_x5.png",
        "f_-6.png",
        "f_.png",
        "f_7.png/inside.png",
        "f_\u0663.png",
    )

    assert names("f_%d.png") == ["f_1.png"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("100%%_%d.png", "100%_7.png"),
        ("%d.png", "7.png"),
        ("%02d", "07"),
        (".f_%d.png", ".f_7.png"),
        ("a+(b)^$ %d\n.png", "a+(b)^$ 7\n.png"),
        ("%d%%.png", "7%.png"),
    ],
)
def test_everything_else_in_the_pattern_is_literal(pattern: str, name: str) -> None:
    touch(name, name.replace("7", "x"))

    assert names(pattern) == [name]


def test_a_percent_sign_in_the_folder_is_literal() -> None:
    touch("50%/f_1.png", "%d/f_2.png")

    assert names("50%/f_%d.png") == ["50%/f_1.png"]
    assert names("%d/f_%d.png") == ["%d/f_2.png"]


def test_names_of_any_bytes_are_matched(here: Path) -> None:
    with open(os.fsencode(here) + b"/caf\xe9_3.png", "wb"):
        pass

    assert names(os.fsdecode(b"caf\xe9_%d.png")) == [os.fsdecode(b"caf\xe9_3.png")]


def test_an_existing_file_of_that_name_is_not_read_as_a_sequence() -> None:
    touch("f_%d.png", "f_1.png")

    assert names("f_%d.png") == ["f_%d.png"]


def test_a_name_with_wildcards_is_a_pattern() -> None:
    touch("50%done.png", "50%d1.png")

    assert names("50%d*.png") == ["50%d1.png", "50%done.png"]


def test_a_path_in_a_sequence_stays_when_its_folder_is_moved() -> None:
    touch("a/b/f_1.png")
    source = open_source("a/b/f_%d.png")

    assert source.prefixes == ("a/b/",)
    assert source.roots() == ("a/b",)
    assert [frame.path for frame in source if frame] == ["f_1.png"]


def test_a_sequence_is_counted() -> None:
    touch("f_1.png", "f_2.png", "f_9.png")

    assert open_source("f_%d.png").count() == 3
    assert open_source("f_%d.png", sampling=Sampling(2)).count() == 2


def test_every_nth_image_is_taken_whatever_its_number() -> None:
    touch("f_1.png", "f_2.png", "f_5.png", "f_9.png", "f_11.png")

    assert names("f_%d.png", Sampling(2)) == ["f_1.png", "f_5.png", "f_11.png"]


@pytest.mark.parametrize("pattern", ["f_%d.png", "nowhere/f_%03d.png"])
def test_missing_files_are_an_error_at_once_unless_the_run_is_resumed(pattern: str) -> None:
    with pytest.raises(SourceError, match="no file name matches"):
        open_source(pattern)
    with pytest.raises(NoImagesError):
        list(open_source(pattern, resumed=True))


@pytest.mark.parametrize(
    "name", ["f_%s.png", "f_%3d.png", "f_%d_%d.png", "f_%.png", "f_%%.png", "f_%0d.png", "f_%0999d.png"]
)
def test_names_with_other_directives_are_not_sequences(name: str) -> None:
    touch("f_1.png")

    with pytest.raises(SourceError, match="does not exist"):
        open_source(name)


def test_an_interval_in_seconds_is_only_for_videos() -> None:
    touch("f_1.png")

    with pytest.raises(OptionError, match="--every is for videos"):
        open_source("f_%d.png", sampling=Sampling(every_s=2))
