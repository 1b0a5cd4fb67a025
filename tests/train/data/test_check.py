"""The dataset doctor: each thing that it finds, and that it finds nothing in a sound folder."""

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.check import check, check_dataset, refusal, refusals
from edgeclf.train.data.dataset import Split, scan
from edgeclf.train.data.findings import Checkup, Finding, Kind, Severity

LayOut = Callable[..., Path]
SPLITS = {f"{split}/{label}": 20 for split in ("train", "val", "test") for label in ("cat", "dog")}


@pytest.fixture
def sound(lay_out: LayOut) -> Path:
    """Three splits with two classes of 20 images of noise each, in which nothing is wrong."""
    return lay_out(SPLITS, 40, 48)


def of(kind: Kind, checkup: Checkup) -> list[tuple[str, list[str]]]:
    """Severity, and the names of the files, of each finding of this kind."""
    found = [finding for finding in checkup.findings if finding.kind is kind]
    return [(finding.severity, ["/".join(Path(path).parts[-3:]) for path in finding.paths]) for finding in found]


def details(kind: Kind, findings: tuple[Finding, ...] | list[Finding]) -> list[str]:
    return [finding.detail for finding in findings if finding.kind is kind]


def noise(seed: int = 99, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape or (40, 48, 3), dtype=np.uint8)


def encode(pixels: np.ndarray, extension: str = ".png") -> bytes:
    return bytes(cv2.imencode(extension, pixels)[1])


def soft(seed: int = 5) -> np.ndarray:
    """Soft shapes in 160 x 160 pixels, as a photograph has them."""
    return np.asarray(cv2.resize(noise(seed, 6, 6, 3), (160, 160), interpolation=cv2.INTER_LINEAR), np.uint8)


def with_exif(jpeg: bytes, orientation: int, order: str) -> bytes:
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    exif = b"Exif\0\0" + header + struct.pack(order + "H", 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def png_chunk(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents))


def palette_png(*transparency: tuple[bytes, bytes]) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in noise(1, 40, 48))
    header = struct.pack(">IIBBBBB", 48, 40, 8, 3, 0, 0, 0)
    palette = ((b"IHDR", header), (b"PLTE", noise(2, 768).tobytes()), *transparency)
    chunks = (*palette, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def animated(png: bytes) -> bytes:
    return png[:33] + png_chunk(b"acTL", struct.pack(">II", 1, 0)) + png[33:]


def cmyk_jpeg() -> bytes:
    """The smallest JPEG with four components: 48 x 40 pixels of one colour, all coefficients zero."""
    frame = struct.pack(">BHHB", 8, 40, 48, 4) + b"".join(bytes([number, 0x11, 0]) for number in range(1, 5))
    huffman = [bytes([kind, 1, *bytes(15), 0]) for kind in (0x00, 0x10)]
    scan = b"\4" + b"".join(bytes([number, 0]) for number in range(1, 5)) + b"\0\x3f\0"
    segments = [(0xDB, b"\0" + b"\1" * 64), (0xC0, frame), *((0xC4, table) for table in huffman), (0xDA, scan)]
    head = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return b"\xff\xd8" + head + bytes(30) + b"\xff\xd9"


def cmyk_tiff() -> bytes:
    tags = {256: 48, 257: 40, 258: 8, 259: 1, 262: 5, 273: 8, 277: 4, 278: 40, 279: 40 * 48 * 4}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    entries = entries.replace(struct.pack("<HHIHH", 258, 3, 1, 8, 0), struct.pack("<HHII", 258, 3, 4, 8 + 40 * 48 * 4))
    pixels = noise(1, 40, 48, 4).tobytes() + struct.pack("<4H", 8, 8, 8, 8)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_nothing_is_found_in_a_sound_folder(sound: Path) -> None:
    checkup = check(sound)
    assert (checkup.findings, checkup.images, checkup.skipped) == ((), 120, 0)
    assert checkup.counts == {split: {"cat": 20, "dog": 20} for split in ("train", "val", "test")}


def test_a_check_changes_nothing(sound: Path) -> None:
    (sound / "train/cat/broken.jpg").write_bytes(b"no image")
    shutil.copy(sound / "train/cat/00.png", sound / "test/dog/copy.png")

    def state() -> list[tuple[str, bytes, int]]:
        paths = sorted(sound.rglob("*"))
        return [(str(path), path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns) for path in paths]

    before = state()
    check(sound)
    assert state() == before


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "empty: the file holds 0 bytes"),
        (b"<html>", "not_an_image: not JPEG, PNG, BMP, GIF, TIFF or WebP (starts with 3c 68 74 6d 6c 3e)"),
        (encode(noise())[:2000], "truncated: PNG cut within its header"),
    ],
    ids=["empty", "a web page", "cut short"],
)
def test_an_unreadable_file_is_named_with_the_reason(sound: Path, data: bytes, detail: str) -> None:
    (sound / "val/dog/x.png").write_bytes(data)
    checkup = check(sound)
    assert of(Kind.UNREADABLE, checkup) == [("error", ["val/dog/x.png"])]
    assert details(Kind.UNREADABLE, checkup.findings) == [detail]


def test_a_pipe_is_unreadable_and_blocks_nothing(sound: Path) -> None:
    os.mkfifo(sound / "train/cat/pipe.png")
    assert of(Kind.UNREADABLE, check(sound)) == [("error", ["train/cat/pipe.png"])]


def test_a_file_in_two_parts_is_leakage(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "test/cat/copy.png")
    checkup = check(sound)
    assert of(Kind.LEAKAGE, checkup) == [("error", ["train/cat/00.png", "test/cat/copy.png"])]
    assert {finding.kind for finding in checkup.findings} == {Kind.LEAKAGE}


def test_a_file_in_two_classes_is_label_noise(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "train/dog/copy.png")
    checkup = check(sound)
    assert of(Kind.LABEL_NOISE, checkup) == [("warning", ["train/cat/00.png", "train/dog/copy.png"])]
    assert details(Kind.LABEL_NOISE, checkup.findings) == ["the same file is labelled cat and dog"]
    assert {finding.kind for finding in checkup.findings} == {Kind.LABEL_NOISE}


def test_a_file_in_another_part_and_class_is_both(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "val/dog/copy.png")
    assert [finding.kind for finding in check(sound).findings] == [Kind.LEAKAGE, Kind.LABEL_NOISE]


def test_a_file_twice_in_one_class_is_a_duplicate(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "train/cat/copy.png")
    checkup = check(sound)
    assert of(Kind.DUPLICATE, checkup) == [("warning", ["train/cat/00.png", "train/cat/copy.png"])]
    assert {finding.kind for finding in checkup.findings} == {Kind.DUPLICATE}


@pytest.mark.parametrize(
    ("folder", "severity"),
    [("train/cat", "notice"), ("train/dog", "warning"), ("test/cat", "warning")],
    ids=["one class", "two classes", "two splits"],
)
def test_an_image_saved_anew_is_a_near_duplicate(sound: Path, folder: str, severity: str) -> None:
    (sound / "train/cat/soft.png").write_bytes(encode(soft()))
    (sound / folder / "zoft.jpg").write_bytes(encode(cv2.resize(soft(), (120, 120)), ".jpg"))
    checkup = check(sound)
    found = [(kind, sorted(names)) for kind, names in of(Kind.NEAR_DUPLICATE, checkup)]
    assert found == [(severity, sorted(["train/cat/soft.png", f"{folder}/zoft.jpg"]))]


def test_an_exact_copy_is_not_a_near_duplicate_as_well(sound: Path) -> None:
    for name in ("a.png", "b.png"):
        (sound / "train/cat" / name).write_bytes(encode(soft()))
    assert {finding.kind for finding in check(sound).findings} == {Kind.DUPLICATE}


def test_uniform_images_are_uniform_and_no_near_duplicates(sound: Path) -> None:
    (sound / "train/cat/black.png").write_bytes(encode(np.zeros((64, 64, 3), np.uint8)))
    (sound / "train/dog/larger.png").write_bytes(encode(np.zeros((80, 80, 3), np.uint8)))
    (sound / "train/dog/noisy.png").write_bytes(encode(100 + noise(3, 64, 64, 3) % 9))
    checkup = check(sound)
    names = ["train/cat/black.png", "train/dog/larger.png", "train/dog/noisy.png"]
    assert of(Kind.UNIFORM, checkup) == [("warning", [name]) for name in names]
    assert of(Kind.NEAR_DUPLICATE, checkup) == []


@pytest.mark.parametrize(
    ("name", "data", "detail"),
    [
        ("x.png", encode(noise(1, 40, 48).astype(np.uint16) * 257), "16-bit, grey among colour images"),
        ("x.png", encode(noise(1, 40, 48)), "grey among colour images"),
        ("x.jpg", encode(noise(1, 40, 48), ".jpg"), "grey among colour images"),
        ("x.tif", encode(noise(1, 40, 48), ".tif"), "grey among colour images"),
        ("x.tif", encode(noise(1, 40, 48, 3).astype(np.uint16) * 257, ".tif"), "16-bit"),
        ("x.png", encode(noise(1, 40, 48, 4)), "alpha"),
        ("x.webp", encode(noise(1, 40, 48, 4), ".webp"), "alpha"),
        ("x.png", palette_png(), "palette"),
        ("x.png", palette_png((b"tRNS", b"\0")), "alpha, palette"),
        ("x.png", animated(encode(noise())), "animated"),
        ("x.bmp", encode(noise(1, 40, 48), ".bmp"), "palette"),
        ("x.gif", encode(noise(), ".gif"), "palette"),
        ("x.jpg", cmyk_jpeg(), "CMYK"),
        ("x.tif", cmyk_tiff(), "CMYK"),
    ],
    ids=str,
)
def test_an_image_that_is_not_plain_colour_says_what_it_is(sound: Path, name: str, data: bytes, detail: str) -> None:
    (sound / "train/cat" / name).write_bytes(data)
    checkup = check(sound)
    assert of(Kind.ODD_MODE, checkup) == [("notice", [f"train/cat/{name}"])]
    assert details(Kind.ODD_MODE, checkup.findings) == [detail]


@pytest.mark.parametrize(("name", "detail"), [("x.gif", "animated, palette"), ("x.webp", "animated")])
def test_an_animated_image_is_named(sound: Path, name: str, detail: str) -> None:
    animation = cv2.Animation()
    animation.frames, animation.durations = [noise(seed) for seed in range(3)], [100] * 3
    assert cv2.imwriteanimation(str(sound / "train/cat" / name), animation)
    assert details(Kind.ODD_MODE, check(sound).findings) == [detail]


@pytest.mark.parametrize(
    ("name", "data"),
    [(f"x{extension}", encode(noise(), extension)) for extension in (".jpg", ".png", ".bmp", ".tif", ".webp")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plain_colour_is_nothing_odd_in_any_format(sound: Path, name: str, data: bytes) -> None:
    (sound / "train/cat" / name).write_bytes(data)
    assert check(sound).findings == ()


def test_among_grey_images_colour_is_odd(sound: Path) -> None:
    for number, path in enumerate(sorted(sound.rglob("*.png"))[:-1]):
        path.write_bytes(encode(noise(number + 1, 40, 48)))
    checkup = check(sound)
    assert of(Kind.ODD_MODE, checkup) == [("notice", ["val/dog/19.png"])]
    assert details(Kind.ODD_MODE, checkup.findings) == ["colour among grey images"]


@pytest.mark.parametrize("order", ["<", ">"], ids=["Intel", "Motorola"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_a_turned_jpeg_is_named(sound: Path, orientation: int, order: str) -> None:
    (sound / "train/cat/x.jpg").write_bytes(with_exif(encode(noise(), ".jpg"), orientation, order))
    checkup = check(sound)
    assert of(Kind.EXIF_ROTATED, checkup) == [("notice", ["train/cat/x.jpg"])]
    assert details(Kind.EXIF_ROTATED, checkup.findings) == [f"EXIF orientation {orientation}"]


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_upright_or_meaningless_orientation_is_nothing(sound: Path, orientation: int) -> None:
    (sound / "train/cat/x.jpg").write_bytes(with_exif(encode(noise(), ".jpg"), orientation, "<"))
    assert check(sound).findings == ()


def test_an_exif_header_that_is_cut_does_not_end_the_check(sound: Path) -> None:
    jpeg = encode(noise(), ".jpg")
    (sound / "train/cat/x.jpg").write_bytes(jpeg[:2] + b"\xff\xe1\0\x0eExif\0\0II*\0\xff\xff" + jpeg[2:])
    assert check(sound).findings == ()


def test_an_image_with_a_side_below_32_pixels_is_tiny(sound: Path) -> None:
    (sound / "train/cat/x.png").write_bytes(encode(noise(1, 31, 400, 3)))
    assert of(Kind.TINY, check(sound)) == [("notice", ["train/cat/x.png"])]


def test_an_image_far_smaller_than_the_rest_is_tiny(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20}, 200, 240)
    (root / "cat/x.png").write_bytes(encode(noise(1, 49, 49, 3)))
    (root / "cat/y.png").write_bytes(encode(noise(2, 50, 50, 3)))
    assert of(Kind.TINY, check(root)) == [("notice", ["data/cat/x.png"])]


def test_where_all_images_are_tiny_it_is_said_once(lay_out: LayOut) -> None:
    findings = check(lay_out({"cat": 20, "dog": 20}, 28, 28)).findings
    assert [(finding.kind, finding.paths) for finding in findings] == [(Kind.TINY, ())]


@pytest.mark.parametrize(("cats", "severity"), [(60, []), (61, ["notice"]), (200, ["notice"]), (201, ["warning"])], ids=str)
def test_a_class_far_larger_than_another_is_an_imbalance(lay_out: LayOut, cats: int, severity: list[str]) -> None:
    checkup = check(lay_out({"cat": cats, "dog": 20}, 32, 32))
    assert of(Kind.IMBALANCE, checkup) == [(word, []) for word in severity]


def test_a_class_with_fewer_than_20_images_is_named(lay_out: LayOut) -> None:
    findings = check(lay_out({"cat": 20, "dog": 19}, 32, 32)).findings
    assert details(Kind.FEW_IMAGES, findings) == ["dog has 19 training images; fewer than 20 teach little"]
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.FEW_IMAGES, Severity.WARNING)]


def test_a_class_folder_without_images_is_named(lay_out: LayOut) -> None:
    findings = check(lay_out(SPLITS | {"val/dog": 0}, 32, 32)).findings
    assert details(Kind.EMPTY_CLASS, findings) == ["dog has no images in val"]
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.EMPTY_CLASS, Severity.ERROR)]


def test_a_class_that_a_split_lacks_is_named(lay_out: LayOut) -> None:
    findings = check(lay_out(SPLITS | {"test/wolf": 20}, 32, 32)).findings
    sentences = ["wolf is missing from train, but elsewhere", "wolf is missing from val, but elsewhere"]
    assert sorted(details(Kind.MISSING_CLASS, findings)) == sentences
    assert {(finding.kind, finding.severity) for finding in findings} == {(Kind.MISSING_CLASS, Severity.ERROR)}


@pytest.mark.parametrize("twin", ["CAF\u00c9", "cafe\u0301", " caf\u00e9 "], ids=["case", "accent", "blanks"])
def test_class_names_that_look_alike_are_named(lay_out: LayOut, twin: str) -> None:
    findings = check(lay_out({"caf\u00e9": 20, "dog": 20, twin: 20}, 32, 32)).findings
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.CASE_TWINS, Severity.WARNING)]
    assert "'caf\u00e9'" in findings[0].detail
    assert f"'{twin}'" in findings[0].detail


def test_a_jpeg_with_another_name_is_named(sound: Path) -> None:
    (sound / "train/cat/x.png").write_bytes(encode(noise(), ".jpg"))
    checkup = check(sound)
    assert of(Kind.WRONG_EXTENSION, checkup) == [("notice", ["train/cat/x.png"])]
    assert details(Kind.WRONG_EXTENSION, checkup.findings) == ["is a JPEG file"]


def test_an_extension_may_be_in_any_letter_case(sound: Path) -> None:
    (sound / "train/cat/x.JPEG").write_bytes(encode(noise(), ".jpg"))
    assert check(sound).findings == ()


def test_names_of_any_bytes_are_kept_in_paths_and_spelt_out_in_details(sound: Path) -> None:
    name = os.fsdecode(b"a\n\x1b[31m\xff")
    for split in ("train", "val", "test"):
        shutil.copytree(sound / split / "cat", sound / split / name)
    copied = [path for finding in check(sound).findings for path in finding.paths if name in path]
    assert len(copied) == 60
    assert all(os.path.exists(path) for path in copied)
    assert {finding.detail for finding in check(sound).findings} == {r"the same file is labelled a\n\x1b[31m\xff and cat"}


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ({"cat": 0}, "data has no class folders with images; make one sub-folder per class"),
        ({"cat": 3}, r"data has only one class folder \(cat\); make one sub-folder per class"),
        ({"val/cat": 3, "val/dog": 3}, "data has val but no train folder"),
    ],
    ids=["no images", "one class", "no train split"],
)
def test_a_folder_that_cannot_be_used_at_all_is_refused(lay_out: LayOut, layout: dict[str, int], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        check(lay_out(layout))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing is no folder"):
        check(tmp_path / "missing")


def test_a_dataset_is_checked_without_reading_a_file_again(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "test/dog/copy.png")
    dataset = scan(sound)
    monkeypatch.setattr("builtins.open", None)
    kinds = {finding.kind for finding in check_dataset(dataset)}
    assert kinds >= {Kind.LEAKAGE, Kind.LABEL_NOISE}


def test_copies_of_which_a_limit_leaves_one_are_no_finding(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    for number in range(1, 16):
        shutil.copy(root / "cat/00.png", root / f"cat/{number:02}.png")
    one = Split((str(root / "cat/00.png"), str(root / "dog/00.png")), (0, 1))
    dataset = replace(scan(root), train=one, val=Split((), ()), test=Split((), ()))
    assert not {Kind.DUPLICATE, Kind.LEAKAGE} & {finding.kind for finding in check_dataset(dataset)}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("train", "test", 1), ("val", "test", 1), ("train", "val", 0)],
    ids=lambda value: str(value),
)
def test_only_what_the_test_part_shares_is_refused(sound: Path, first: str, second: str, refused: int) -> None:
    shutil.copy(sound / first / "cat/00.png", sound / second / "cat/copy.png")
    assert len(refusals(check(sound).findings)) == refused


def test_label_noise_is_not_refused(sound: Path) -> None:
    shutil.copy(sound / "test/cat/00.png", sound / "test/dog/copy.png")
    assert refusals(check(sound).findings) == []


def test_a_refusal_shows_a_pair_from_two_parts(sound: Path) -> None:
    for path in ("train/cat/x.png", "train/cat/y.png", "test/cat/x.png"):
        (sound / path).write_bytes(encode(noise()))
    assert f"(first: {sound}/train/cat/x.png = {sound}/test/cat/x.png)" in refusal(refusals(check(sound).findings))


@pytest.mark.parametrize(
    ("leaks", "sentence"),
    [
        ([("train", "test")], "1 image is in both train and test (first: a.jpg = b.jpg)"),
        ([("train", "test")] * 3, "3 images are in both train and test (first: a.jpg = b.jpg)"),
        (
            [("train", "test"), ("val", "test")],
            "2 images are in more than one of train, val and test (first: a.jpg = b.jpg)",
        ),
    ],
    ids=["one", "some", "in all splits"],
)
def test_a_refusal_says_how_many_where_and_what_to_do(leaks: list[tuple[str, ...]], sentence: str) -> None:
    findings = [Finding(Kind.LEAKAGE, Severity.ERROR, ("a.jpg", "b.jpg"), "", splits) for splits in leaks]
    assert refusal(findings) == f"{sentence}; remove one of each, or pass --allow-leakage"
