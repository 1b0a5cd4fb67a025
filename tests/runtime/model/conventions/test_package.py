"""From what a user names to one model file: which of several is taken, what counts as beside it, and hostile archives."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.package import find_model
from tests.runtime.model.conventions.conftest import write_files
from tests.support.archives import SUFFIXES, write_archive

CHOICES = {
    "Teachable Machine's float": (["m_int8.tflite", "model_unquant.tflite", "labels.txt"], "model_unquant.tflite"),
    "ONNX before the rest": (["best.h5", "best_float32.tflite", "best.onnx", "best.keras"], "best.onnx"),
    "float before float16 before quantised": (
        ["best_int8.tflite", "best_full_integer_quant.tflite", "best_float16.tflite", "best_float32.tflite"],
        "best_float32.tflite",
    ),
    "Ultralytics' folder": (["saved_model.pb", "variables/variables.index", "best_float32.tflite"], "best_float32.tflite"),
    "Edge Impulse": (["ei-x-int8-quantized-model.lite", "ei-x-float32-model.lite"], "ei-x-float32-model.lite"),
    "Transformers.js": (["config.json", "onnx/model_q4.onnx", "onnx/model_fp16.onnx", "onnx/model.onnx"], "onnx/model.onnx"),
    "the only sub-folder": (["x/y/model.onnx"], "x/y/model.onnx"),
    "a SavedModel": (["labels.txt", "model.savedmodel/saved_model.pb"], "model.savedmodel"),
    "the folder is a SavedModel": (["saved_model.pb", "variables/variables.index"], ""),
    "not for an Edge TPU": (["a_edgetpu.tflite", "a_quant.tflite"], "a_quant.tflite"),
    "not hidden": ([".model.onnx", "m.tflite"], "m.tflite"),
}


@pytest.mark.parametrize(("files", "taken"), CHOICES.values(), ids=CHOICES)
def test_the_best_model_of_a_folder_is_taken(files: list[str], taken: str, tmp_path: Path) -> None:
    write_files(tmp_path, {name: {} if name.endswith(".json") else b"x" for name in files})
    with find_model(tmp_path) as package:
        assert package.path == tmp_path / taken
        assert package.name == str(tmp_path / taken)


@pytest.mark.parametrize(
    ("description", "content"),
    [
        ("signature.json", {"filename": "b.tflite"}),
        ("cvexport.manifest", {"ModelFileName": "b.tflite"}),
        ("config.json", {"config_version": "1.0", "model": {"metadata": {"path": "b.tflite"}}}),
    ],
)
def test_the_model_that_the_tool_names_is_taken(description: str, content: object, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.onnx": b"x", "b.tflite": b"x", description: content})
    with find_model(tmp_path) as package:
        assert package.path.name == "b.tflite"


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/passwd", "missing.onnx", "", "notes.txt"])
def test_a_description_cannot_name_a_file_elsewhere(name: str, tmp_path: Path) -> None:
    write_files(
        tmp_path, {"outside.onnx": b"x", "m/a.onnx": b"x", "m/notes.txt": "x", "m/signature.json": {"filename": name}}
    )
    with find_model(tmp_path / "m") as package:
        assert package.path == tmp_path / "m/a.onnx"


def test_a_note_says_which_model_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path, {"b.onnx": b"x", "a.int8.onnx": b"x"})
    with find_model(tmp_path) as package:
        assert package.others == ("a.int8.onnx",)
    assert "b.onnx is taken, not a.int8.onnx" in capsys.readouterr().err


def test_one_model_needs_no_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path, {"b.onnx": b"x", "b.onnx.data": b"x", "labels.txt": "cat\ndog\n"})
    with find_model(tmp_path):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_unpacked_and_its_folder_removed(suffix: str, tmp_path: Path) -> None:
    files = {
        "export/model.onnx": b"onnx",
        "export/labels.txt": b"cat\ndog\n",
        "export/photo.jpg": b"x",
        "__MACOSX/x.onnx": b"x",
    }
    archive = write_archive(tmp_path / f"model{suffix}", files)
    with find_model(archive) as package:
        folder = package.path.parent
        assert package.name == f"{archive}/export/model.onnx"
        assert package.read() == b"onnx"
        assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "model.onnx"]
    assert not folder.exists()


def test_optimums_files_above_its_folder_count(tmp_path: Path) -> None:
    write_files(tmp_path, {"onnx/model.onnx": b"x", "config.json": {}, "onnx/config.json": {}})
    with find_model(tmp_path / "onnx/model.onnx") as package:
        found = [str(path.relative_to(tmp_path)) for path in package.files(["config.json"])]
    assert found == ["onnx/config.json", "config.json"]


@pytest.mark.parametrize("folder", ["m", "exports"])
def test_files_above_any_other_folder_do_not_count(folder: str, tmp_path: Path) -> None:
    write_files(tmp_path, {f"{folder}/model.onnx": b"x", "labels.txt": "cat\ndog\n"})
    with find_model(tmp_path / folder / "model.onnx") as package:
        assert list(package.files(["labels.txt"])) == []


WITHOUT_MODEL = {
    "nothing": ([], "holds no model"),
    "PyTorch": (["best.pt"], "is a PyTorch file"),
    "TensorFlow.js": (["model.json", "metadata.json", "weights.bin"], "TensorFlow.js"),
    "Edge TPU": (["model_edgetpu.tflite", "labels.txt"], "Edge TPU"),
    "Core ML": (["m.mlpackage/Manifest.json"], "Core ML"),
    "two folders": (["a/x.onnx", "b/x.onnx"], "holds no model"),
    "deep": (["a/b/c/d/e/x.onnx"], "holds no model"),
}


@pytest.mark.parametrize(("files", "keyword"), WITHOUT_MODEL.values(), ids=WITHOUT_MODEL)
def test_a_folder_without_a_model_says_what_it_holds(files: list[str], keyword: str, tmp_path: Path) -> None:
    write_files(tmp_path, dict.fromkeys(files, "{}"))
    with pytest.raises(ModelError, match=keyword), find_model(tmp_path):
        pass


@pytest.mark.parametrize(
    ("name", "keyword"), [("missing.onnx", "does not exist"), ("best.pt", "PyTorch"), ("notes.txt", "not a model file")]
)
def test_a_file_that_is_no_model_is_named_for_what_it_is(name: str, keyword: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"best.pt": b"x", "notes.txt": b"x"})
    with pytest.raises(ModelError, match=f"{name} .*{keyword}|{keyword} .*{name}"), find_model(tmp_path / name):
        pass


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


HOSTILE_NAMES = ["../model.onnx", "/tmp/model.onnx", "a/../../model.onnx", "C:/model.onnx"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("suffix", [".zip", ".tar.xz"])
def test_a_member_that_leads_outside_is_refused(name: str, suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"m{suffix}", {"model.onnx": b"x", name: b"x"})
    with pytest.raises(ModelError, match="leads outside its folder"), find_model(archive):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "m.tar.xz", "w:xz") as archive:
        archive.addfile(link("model.onnx"))
    with pytest.raises(ModelError, match="is a link"), find_model(tmp_path / "m.tar.xz"):
        pass


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_bomb_is_refused(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"m{suffix}", {"model.onnx": bytes(110 << 20)})
    with pytest.raises(ModelError, match="unpacks to more than 200 times its"), find_model(archive):
        pass


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "m.zip", {f"{number}.txt": b"" for number in range(10_001)})
    with pytest.raises(ModelError, match="more than 10,000 members"), find_model(archive):
        pass


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.onnx", b"x")
    data = bytearray(file.getvalue())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "m.zip").write_bytes(data)
    with pytest.raises(ModelError, match="encrypted"), find_model(tmp_path / "m.zip"):
        pass


@pytest.mark.parametrize("data", [b"", b"PK\3\4 not a zip"])
def test_a_damaged_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(data)
    with pytest.raises(ModelError, match="cannot be unpacked"), find_model(tmp_path / "m.zip"):
        pass
