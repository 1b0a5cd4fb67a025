"""The classes of a model without a card, in every format that people write."""

from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.labels import count_advice, read_classes

GOOD = {
    "lines": ("labels.txt", "cat\ndog\n", ("cat", "dog")),
    "lines from Windows": ("labels.txt", "\ufeffcat\r\n\r\n dog \r\n", ("cat", "dog")),
    "brackets in lines": ("labels.txt", "[background]\n{cat} dog\n", ("[background]", "{cat} dog")),
    "list": ("labels.json", '["cat", "dog", "owl"]', ("cat", "dog", "owl")),
    "list in a text file": ("labels.txt", ' ["dog", "cat"] ', ("dog", "cat")),
    "background": ("labels.txt", "background\ncat\n", ("background", "cat")),
    "numbered lines": ("labels.txt", "0 Cat\n1 Big dog\n\n", ("Cat", "Big dog")),
    "numbers with a colon": ("labels.txt", "0: cat\n1: dog: big\n2:owl", ("cat", "dog: big", "owl")),
    "numbers with a dot": ("labels.txt", "0. cat\n1. dog\n", ("cat", "dog")),
    "numbers with a tab": ("labels.txt", "0\tcat\r1\tdog\r", ("cat", "dog")),
    "numbers in another order": ("labels.txt", "2 owl\n0 cat\n1 dog\n", ("cat", "dog", "owl")),
    "leading zeros": ("labels.txt", "00 cat\n01 dog\n", ("cat", "dog")),
    "numbers from 1 are names": ("labels.txt", "1 euro\n2 euro\n", ("1 euro", "2 euro")),
    "a gap in the numbers": ("labels.txt", "0 cat\n2 dog\n", ("0 cat", "2 dog")),
    "one line without a number": ("labels.txt", "0 cat\n1 dog\nowl\n", ("0 cat", "1 dog", "owl")),
    "digits": ("labels.txt", "0\n1\n2\n", ("0", "1", "2")),
    "numbered digits": ("labels.txt", "0 7\n1 3\n", ("7", "3")),
    "commas in names": ("labels.txt", "tench, Tinca tinca\ngoldfish\n", ("tench, Tinca tinca", "goldfish")),
    "numbers before names with commas": ("labels.txt", "0, tench, Tinca\n1, rock, dove\n", ("tench, Tinca", "rock, dove")),
    "table": ("labels.csv", "id,name\n1,dog\n0,cat\n", ("cat", "dog")),
    "table without a header": ("labels.csv", '0,"cat, big"\n1,dog\n', ("cat, big", "dog")),
    "table in a text file": ("labels.txt", "id,name\n0,cat\n1,dog\n", ("cat", "dog")),
    "table with semicolons": ("labels.csv", "id;name\n0;cat, big\n1;dog, big\n", ("cat, big", "dog, big")),
    "table with tabs": ("labels.tsv", "name\tid\ncat\t1\ndog\t0\n", ("dog", "cat")),
    "table of three columns": ("labels.csv", "label,id,colour\ncat,0,red\ndog,1,blue\n", ("cat", "dog")),
    "table of pandas": ("labels.csv", ",0\n0,cat\n1,dog\n", ("cat", "dog")),
    "column of names": ("labels.csv", 'label\ncat\n"dog"\n', ("cat", "dog")),
    "names by number": ("labels.json", '{"1": "dog", "0": "cat"}', ("cat", "dog")),
    "digits by number": ("labels.json", '{"0": "1", "1": "0"}', ("1", "0")),
    "ImageNet's class index": ("i.json", '{"1": ["n2", "goldfish"], "0": ["n1", "tench"]}', ("tench", "goldfish")),
    "Hugging Face": ("config.json", '{"model": "x", "id2label": {"0": "cat", "1": "dog"}}', ("cat", "dog")),
    "Hugging Face backwards": ("config.json", '{"n": 2.5, "label2id": {"cat": 1, "dog": 0}}', ("dog", "cat")),
    "Lobe": ("signature.json", '{"doc_id": "x", "classes": {"Label": ["cat", "dog"]}}', ("cat", "dog")),
    "Teachable Machine": ("metadata.json", '{"tfjsVersion": "1", "labels": ["cat", "dog"]}', ("cat", "dog")),
    "timm": ("config.json", '{"architecture": "r", "num_classes": 2, "label_names": ["cat", "dog"]}', ("cat", "dog")),
    "class_indices of Keras": ("indices.json", '{"zebra": 0, "cat": 2, "dog": 1}', ("zebra", "dog", "cat")),
}
BAD = {
    "one class": ("labels.txt", "cat\n", "labels.txt names 1 class,"),
    "empty": ("labels.txt", "", "names 0 classes,"),
    "twice, and the numbered name": ("labels.txt", "cat\ndog\ncat\ncat 0\n", "labels.txt names 'cat' twice"),
    "not JSON": ("labels.json", "cat\ndog", "not JSON"),
    "deep": ("labels.json", "[" * 100_000, "not JSON"),
    "gap": ("labels.json", '{"cat": 0, "dog": 2}', "must hold a list"),
    "names by numbers from 1": ("labels.json", '{"1": "cat", "2": "dog"}', "must hold a list"),
    "no names by number": ("labels.json", '{"0": {}, "1": []}', "must hold a list"),
    "deep in a configuration": ("labels.json", '{"labels":' * 900 + "0" + "}" * 900, "cannot read"),
    "table of numbers from 1": ("labels.csv", "1,cat\n2,dog\n", "no column of the table"),
    "table of two names": ("labels.csv", "id,a,b\n0,cat,Katze\n1,dog,Hund\n", "no column of the table"),
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_in_unicode_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "labels.txt").write_text("Käse\n犬\n", encoding)
    assert read_classes(tmp_path / "labels.txt") == ("Käse", "犬")


@pytest.mark.parametrize(
    ("encoding", "keyword"), [("latin-1", "byte 0xe4 in line 2"), ("utf-16-le", "byte 0xe4"), ("utf-16-be", "byte 0xe4")]
)
def test_names_in_another_encoding_are_refused(tmp_path: Path, encoding: str, keyword: str) -> None:
    (tmp_path / "labels.txt").write_bytes("Brot\nKäse\n".encode(encoding))
    with pytest.raises(OptionError, match=rf"not UTF-8 text .*{keyword}.*; save it as UTF-8$"):
        read_classes(tmp_path / "labels.txt")


def test_utf_16_without_a_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("cat\ndog\n".encode("utf-16-le"))
    with pytest.raises(OptionError, match="zero bytes"):
        read_classes(tmp_path / "labels.txt")


def test_names_that_occur_twice_get_their_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.txt").write_text("crane\ncat\ncrane\nmaillot\nmaillot\n")

    assert read_classes(tmp_path / "labels.txt") == ("crane 0", "cat", "crane 2", "maillot 3", "maillot 4")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'crane', 'maillot' more than once" in said
    assert "'crane 0'" in said


@pytest.mark.parametrize(
    ("named", "outputs", "keyword"),
    [
        (1000, 1001, "has a background class"),
        (1001, 1000, "names a background class"),
        (2, 1, "one class per output"),
        (2, 5, "one class per output"),
    ],
)
def test_a_list_that_is_one_name_off_suggests_a_background_class(named: int, outputs: int, keyword: str) -> None:
    assert keyword in count_advice(named, outputs)


@pytest.mark.parametrize("data", [None, b"\xff\xfecat"], ids=["missing", "not text"])
def test_an_unreadable_file_is_an_error(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(OptionError, match=r"cannot read .*labels\.txt: |labels\.txt does not exist"):
        read_classes(tmp_path / "labels.txt")


def test_a_line_of_thousands_of_names_is_no_table(tmp_path: Path) -> None:
    """Trying each of its columns took minutes."""
    (tmp_path / "labels.txt").write_text(",".join(map(str, range(16_000))) + "\ncat\n")
    assert len(read_classes(tmp_path / "labels.txt")) == 2
