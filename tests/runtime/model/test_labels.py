"""The classes of a model without a card, in every format that people write."""

from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.labels import read_classes

GOOD = {
    "lines": ("labels.txt", "cat\ndog\n", ("cat", "dog")),
    "lines from Windows": ("labels.txt", "\ufeffcat\r\n\r\n dog \r\n", ("cat", "dog")),
    "brackets in lines": ("labels.txt", "[background]\n{cat} dog\n", ("[background]", "{cat} dog")),
    "list": ("labels.json", '["cat", "dog", "owl"]', ("cat", "dog", "owl")),
    "list in a text file": ("labels.txt", ' ["dog", "cat"] ', ("dog", "cat")),
    "class_indices of Keras": ("indices.json", '{"zebra": 0, "cat": 2, "dog": 1}', ("zebra", "dog", "cat")),
}
BAD = {
    "one class": ("labels.txt", "cat\n", "labels.txt names 1 class,"),
    "empty": ("labels.txt", "", "names 0 classes,"),
    "twice": ("labels.txt", "cat\ndog\ncat\n", "labels.txt names 'cat' twice"),
    "not JSON": ("labels.json", "cat\ndog", "not JSON"),
    "deep": ("labels.json", "[" * 100_000, "not JSON"),
    "gap": ("labels.json", '{"cat": 0, "dog": 2}', "must hold a list"),
    "indices that are texts": ("labels.json", '{"0": "cat", "1": "dog"}', "must hold a list"),
    "yes and no": ("labels.json", '{"cat": false, "dog": true}', "must hold a list"),
    "numbers": ("labels.json", "[1, 2]", "must hold a list"),
    "blank": ("labels.json", '["cat", " "]', "must hold a list"),
}


@pytest.mark.parametrize(("name", "text", "classes"), GOOD.values(), ids=GOOD)
def test_classes_come_in_the_order_of_the_outputs(tmp_path: Path, name: str, text: str, classes: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_classes(tmp_path / name) == classes


@pytest.mark.parametrize(("name", "text", "keyword"), BAD.values(), ids=BAD)
def test_a_file_without_usable_classes_is_an_error_in_one_line(tmp_path: Path, name: str, text: str, keyword: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(OptionError, match=r"^[^\n]+$") as refused:
        read_classes(tmp_path / name)
    assert keyword in str(refused.value)


@pytest.mark.parametrize("data", [None, b"\xff\xfecat"], ids=["missing", "not text"])
def test_an_unreadable_file_is_an_error(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(OptionError, match=r"cannot read .*labels\.txt: "):
        read_classes(tmp_path / "labels.txt")
