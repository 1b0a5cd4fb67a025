"""The card survives a round trip, and a damaged, hostile or oversized card is refused."""

import io
import json
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from edgeclf.runtime import ModelCard, Preprocess
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import CARD_MEMBER, read_zip_card

CARD = ModelCard(("cat", "dog"), Preprocess((32, 48), 1, "area", "pad"), "sigmoid", {"accuracy": 0.5, "seed": 3})
FIELDS = json.loads(CARD.to_json())


def changed(**fields: object) -> str:
    return json.dumps(FIELDS | fields)


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        ModelCard(("a", "b", "c"), Preprocess((224, 224))),
        ModelCard(("naïve", "=cmd|'/c calc'!A0", "line\nbreak", "\x1b[31m", "犬", "'\"\\"), Preprocess((1, 4096))),
        ModelCard(tuple(f"class {number}" for number in range(20_000)), Preprocess((8, 8))),
    ],
    ids=["all-fields", "defaults", "odd-names", "many-classes"],
)
def test_json_gives_the_same_card_back(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json()) == card


def test_json_is_ascii() -> None:
    assert ModelCard(("犬", "naïve"), Preprocess((8, 8))).to_json().isascii()


def test_unknown_fields_of_the_same_schema_are_ignored() -> None:
    assert ModelCard.from_json(changed(colour="blue")) == CARD


def test_a_newer_schema_asks_for_an_upgrade() -> None:
    with pytest.raises(ModelError, match=r"schema 2.* up to 1; upgrade edgeclf"):
        ModelCard.from_json(changed(schema=2))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"text"',
        "{}",
        '{"schema": 1}',
        changed(schema="1"),
        changed(schema=None),
        changed(schema=0),
        changed(schema=-1),
        changed(classes=None),
        changed(classes=3),
        changed(classes="ab"),
        changed(classes=["one"]),
        changed(classes=["a", "a"]),
        changed(classes=["a", ""]),
        changed(classes=["a", 3]),
        changed(classes=["a", ["b"]]),
        changed(head="relu"),
        changed(head=["softmax"]),
        changed(classes=["a", "b", "c"], head="sigmoid"),
        changed(training=None),
        changed(training=3),
        changed(preprocess=None),
        changed(preprocess=[]),
        changed(preprocess=FIELDS["preprocess"] | {"size_hw": [0, 8]}),
        changed(preprocess=FIELDS["preprocess"] | {"size_hw": [1 << 40, 1 << 40]}),
        changed(preprocess=FIELDS["preprocess"] | {"size_hw": ["8", "8"]}),
        changed(preprocess=FIELDS["preprocess"] | {"size_hw": 8}),
        changed(preprocess=FIELDS["preprocess"] | {"size_hw": None}),
        changed(preprocess=FIELDS["preprocess"] | {"channels": 4}),
        changed(preprocess=FIELDS["preprocess"] | {"resize": "magic"}),
        changed(preprocess=FIELDS["preprocess"] | {"resize": ["shrink"]}),
        changed(preprocess=FIELDS["preprocess"] | {"fit": {}}),
        changed(preprocess={"size_hw": [8, 8]}),
        "[" * 100_000,
        '{"schema": ' + "9" * 10_000 + "}",
        '{"schema": NaN}',
    ],
    ids=lambda text: text[:90],
)
def test_an_unusable_card_is_a_model_error(text: str) -> None:
    with pytest.raises(ModelError, match="its card"):
        ModelCard.from_json(text)


@pytest.mark.parametrize(
    "fields",
    [{"classes": ("a",)}, {"classes": ()}, {"classes": ("a", "a")}, {"classes": ("a", "")}, {"head": "tanh"}],
    ids=["one-class", "no-class", "same-names", "empty-name", "unknown-head"],
)
def test_a_card_is_checked_when_it_is_made(fields: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        ModelCard(**{"classes": ("a", "b"), "preprocess": Preprocess((8, 8))} | fields)  # type: ignore[arg-type]


def archive(member: str, content: bytes, before: bytes = b"") -> io.BytesIO:
    file = io.BytesIO(before)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(member, content)
    return io.BytesIO(file.getvalue())


def test_a_card_is_found_in_a_zip_after_other_bytes() -> None:
    assert read_zip_card(archive(CARD_MEMBER, b"{}", before=bytes(1000))) == "{}"


def test_a_zip_without_a_card_has_none() -> None:
    assert read_zip_card(archive("config.json", b"{}")) is None


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06"], ids=["empty", "text", "truncated-zip"])
def test_a_file_that_is_not_a_zip_has_no_card(content: bytes) -> None:
    assert read_zip_card(io.BytesIO(content)) is None


def test_an_oversized_card_is_refused() -> None:
    with pytest.raises(ModelError, match="larger than 4 MB"):
        read_zip_card(archive(CARD_MEMBER, bytes(64 << 20)))


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2], ids=["lzma", "bzip2"])
def test_a_card_with_another_compression_is_refused(packing: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as written:
        written.writestr(CARD_MEMBER, CARD.to_json())
    with pytest.raises(ModelError, match="compression"):
        read_zip_card(file)


def test_a_card_with_a_false_size_is_not_unpacked_further() -> None:
    file = archive(CARD_MEMBER, bytes(64 << 20)).getvalue()
    lying = file.replace((64 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))

    tracemalloc.start()
    assert len(read_zip_card(io.BytesIO(lying)) or "") <= 100
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("byte", range(20))
def test_a_damaged_zip_never_crashes(byte: int) -> None:
    file = bytearray(archive(CARD_MEMBER, CARD.to_json().encode()).getvalue())
    file[len(file) * byte // 20] ^= 0x55

    with suppress(ModelError):
        assert isinstance(read_zip_card(io.BytesIO(bytes(file))), str | None)


@pytest.mark.parametrize("name", ["model.keras", "model.fp32.tflite", "model.int8.tflite"])
def test_every_file_of_a_run_carries_the_card_of_its_training(name: str, run_folder: Path) -> None:
    card = ModelCard.from_json(read_zip_card(run_folder / name) or "")

    assert (card.classes, card.preprocess) == (("disc", "square"), Preprocess((32, 32)))


@pytest.mark.parametrize("count", [2, 3])
def test_logits_allow_any_number_of_classes(count: int) -> None:
    card = ModelCard(("a", "b", "c")[:count], Preprocess((8, 8)), "logits")
    assert ModelCard.from_json(card.to_json()) == card
