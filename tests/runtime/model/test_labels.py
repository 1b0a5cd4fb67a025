"""The classes of a model without a card, as people write them down."""

from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.labels import read_classes

GOOD = {
    "lines": ("labels.txt", "cat\ndog\n", ("cat", "dog")),
    "lines of Windows": ("labels.txt", "\ufeffcat\r\n\r\n dog \r\n", ("cat", "dog")),
    "brackets in lines": ("labels.txt", "[background]\n{cat} dog\n", ("[background]", "{cat} dog")),
    "list": ("labels.json", '["cat", "dog", "owl"]', ("cat", "dog", "owl")),
    "list in a text": ("labels.txt", ' ["dog", "cat"] ', ("dog", "cat")),
    "indices of Keras": ("indices.json", '{"zebra": 0, "cat": 2, "dog": 1}', ("zebra", "dog", "cat")),
}
BAD = {
    "one class": ("labels.txt", "cat\n", "labels.txt names 1 classes, and a classifier has two or more"),
    "empty": ("labels.txt", "", "names 0 classes"),
    "twice": ("labels.txt", "cat\ndog\ncat\n", "labels.txt names 'cat' twice; write one class a line"),
    "no json": ("labels.json", "cat\ndog", "it is no JSON"),
    "deep": ("labels.json", "[" * 100_000, "it is no JSON"),
    "gap": ("labels.json", '{"cat": 0, "dog": 2}', "must hold a list such as"),
    "indices that are texts": ("labels.json", '{"0": "cat", "1": "dog"}', "must hold a list such as"),
    "yes and no": ("labels.json", '{"cat": false, "dog": true}', "must hold a list such as"),
    "numbers": ("labels.json", "[1, 2]", "must hold a list such as"),
    "blank": ("labels.json", '["cat", " "]', "must hold a list such as"),
}


@pytest.mark.parametrize(("name", "text", "classes"), GOOD.values(), ids=GOOD)
def test_classes_come_in_the_order_of_the_outputs(tmp_path: Path, name: str, text: str, classes: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_classes(tmp_path / name) == classes


@pytest.mark.parametrize(("name", "text", "sentence"), BAD.values(), ids=BAD)
def test_what_names_no_classes_is_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(OptionError, match=r"^[^\n]+$") as refused:
        read_classes(tmp_path / name)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("data", [None, b"\xff\xfecat"], ids=["missing", "no text"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(OptionError, match=r"cannot read the classes in .*labels\.txt: "):
        read_classes(tmp_path / "labels.txt")
