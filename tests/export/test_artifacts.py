"""Publishing: all files or none, with digests that `sha256sum` can check."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeclf.export.artifacts import check_free, publish_all, staging_folder
from edgeclf.export.options import TargetOptions
from edgeclf.export.run import export
from edgeclf.export.targets import choose_targets
from edgeclf.runtime.errors import ModelError, OutputError
from edgeclf.runtime.model.digest import check_digest
from edgeclf.runtime.storage.atomic_write import publish_bytes


def publish(folder: Path, files: dict[str, bytes]) -> None:
    with staging_folder(folder) as hidden:
        for name, data in files.items():
            publish_bytes(hidden / name, data)
        publish_all([hidden / name for name in files], folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def sha256sum(folder: Path) -> subprocess.CompletedProcess[str]:
    line = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


def test_sha256sum_accepts_the_digests(run_folder: Path) -> None:
    done = sha256sum(run_folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [
        "model.dynamic.tflite: OK",
        "model.fp16.onnx: OK",
        "model.fp16.tflite: OK",
        "model.fp32.tflite: OK",
        "model.int8.onnx: OK",
        "model.int8.tflite: OK",
        "model.onnx: OK",
        "model.parity.json: OK",
    ]


@pytest.mark.parametrize("name", ["mo del.onnx", "naïve 猫.onnx", "back\\slash.onnx", "two\nlines.onnx"], ids=ascii)
def test_sha256sum_accepts_any_file_name(tmp_path: Path, name: str) -> None:
    publish(tmp_path, {name: b"model"})
    done = sha256sum(tmp_path)
    assert (done.returncode, done.stderr, done.stdout.count(": OK\n")) == (0, "", 1)


@pytest.mark.parametrize("name", ["model.onnx", "back\\slash.onnx", "two\nlines.onnx", "caf\udce9.onnx"], ids=ascii)
def test_the_runtime_notices_a_flipped_bit_under_any_file_name(tmp_path: Path, name: str) -> None:
    publish(tmp_path, {name: b"model"})
    check_digest(tmp_path / name, b"model")
    with pytest.raises(ModelError, match="does not match its digest in SHA256SUMS"):
        check_digest(tmp_path / name, b"modem")


def test_files_are_published_complete_under_their_names(tmp_path: Path) -> None:
    publish(tmp_path / "new" / "folder", {"a.onnx": b"first", "b.tflite": b"second"})
    assert contents(tmp_path / "new" / "folder").keys() == {"a.onnx", "b.tflite", "SHA256SUMS"}
    assert (tmp_path / "new" / "folder" / "b.tflite").read_bytes() == b"second"


def test_digests_of_other_files_are_kept(tmp_path: Path) -> None:
    publish(tmp_path, {"earlier.onnx": b"first"})
    publish(tmp_path, {"later.onnx": b"second"})
    assert sha256sum(tmp_path).stdout == "earlier.onnx: OK\nlater.onnx: OK\n"


def test_digests_of_removed_files_are_dropped(tmp_path: Path) -> None:
    publish(tmp_path, {"earlier.onnx": b"first"})
    (tmp_path / "earlier.onnx").unlink()
    publish(tmp_path, {"later.onnx": b"second"})
    assert sha256sum(tmp_path).stdout == "later.onnx: OK\n"


def test_a_replaced_file_has_its_new_digest(tmp_path: Path) -> None:
    publish(tmp_path, {"model.onnx": b"first"})
    publish(tmp_path, {"model.onnx": b"second"})
    assert sha256sum(tmp_path).stdout == "model.onnx: OK\n"


def test_the_staging_folder_is_hidden_and_removed_afterwards(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as hidden:
        assert hidden.parent == tmp_path
        assert hidden.name.startswith(".")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_staging_folder_is_removed_after_an_exception(tmp_path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with staging_folder(tmp_path) as hidden:
            publish_bytes(hidden / "model.onnx", b"half")
            raise error

    with pytest.raises(error):
        work()
    assert list(tmp_path.iterdir()) == []


def test_a_file_instead_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*file/export: Not a directory"):
        publish(tmp_path / "file" / "export", {"model.onnx": b"model"})


@pytest.mark.parametrize("blocked", ["a.onnx", "b.tflite", "SHA256SUMS"])
def test_a_folder_with_the_name_of_a_file_stops_all_of_them(tmp_path: Path, blocked: str) -> None:
    publish(tmp_path, {"a.onnx": b"earlier"} if blocked != "a.onnx" else {"b.tflite": b"earlier"})
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / blocked).mkdir()
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"cannot (publish|write)"):
        publish(tmp_path, {"a.onnx": b"later", "b.tflite": b"later"})
    assert {name: data for name, data in contents(tmp_path).items() if name != "SHA256SUMS"} == before


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite", "model.parity.json", "SHA256SUMS"])
@pytest.mark.parametrize("text", [b"mine\n", b'{"artifacts": []}', b"SHA256 (model.onnx) = 0123\n"])
def test_a_file_of_someone_else_is_refused(name: str, text: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(OutputError, match=f"{name} exists already .*choose another folder with -o"):
        check_free(tmp_path, ["model.onnx", "model.int8.tflite", "model.parity.json"])


def test_earlier_exports_and_other_files_are_no_obstacle(run_folder: Path) -> None:
    check_free(run_folder, [path.name for path in run_folder.glob("model.*") if path.name != "model.keras"])


def test_an_export_beside_a_conversion_by_other_tools_is_refused_at_once(run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / "model.keras", tmp_path)
    (tmp_path / "model.int8.tflite").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"model.int8.tflite exists already"):
        export(tmp_path / "model.keras", tmp_path, choose_targets(TargetOptions(("tflite",), ("int8",))))
    assert sorted(contents(tmp_path)) == ["model.int8.tflite", "model.keras"]
    assert (tmp_path / "model.int8.tflite").read_bytes() == b"mine"
