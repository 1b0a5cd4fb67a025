"""`clf-run --embeddings`: a vector for each row that has an answer, in a file of its own or as a column, each once."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.model.classifier import Classifier
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.runtime.cli.test_clf_run_options import check_is_refused
from tests.support.trained_run import KEPT_OUTPUTS

MODEL = KEPT_OUTPUTS / "model.onnx"


@pytest.fixture
def shapes(tmp_path: Path, image_folder: Path) -> Path:
    """Ten images and a damaged one among them, in the test's own folder."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))[::6]):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    (folder / "4b.png").write_bytes(b"damaged")
    return folder


@pytest.fixture
def expected(shapes: Path) -> NDArray[np.float32]:
    """float32 `[10, 16]`, from the Python interface, one image at a time."""
    classifier = Classifier.open(MODEL, device="cpu")
    return np.concatenate([classifier.embed(path) for path in sorted(shapes.glob("?.png"))])


def column(path: Path) -> NDArray[np.float32]:
    """The embeddings of a Parquet file, without nulls."""
    return np.array([row for row in pq.read_table(path)["embedding"].to_pylist() if row is not None], np.float32)


def test_an_array_has_the_order_of_the_rows_with_an_answer(
    clf_run: Invoke, shapes: Path, expected: NDArray[np.float32]
) -> None:
    done = clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "found.npy", "-b", "3")
    assert done.exit_code == 1, done.stderr
    rows = rows_of(Path("rows.csv").read_text())
    assert [row["path"] for row in rows if row["status"] != "error"] == [f"shapes/{number}.png" for number in range(10)]
    found = np.load("found.npy")
    assert (found.dtype, found.shape) == (np.float32, (10, 16))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("conf", ["0", "1"], ids=["sure", "unsure"])
def test_parquet_has_the_path_of_each(clf_run: Invoke, shapes: Path, expected: NDArray[np.float32], conf: str) -> None:
    assert clf_run(MODEL, "shapes", "--embeddings", "found.parquet", "--conf", conf).exit_code == 1
    table = pq.read_table("found.parquet")
    assert table["path"].to_pylist() == [f"shapes/{number}.png" for number in range(10)]
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[16]"
    np.testing.assert_allclose(column(Path("found.parquet")), expected, atol=1e-4)


def test_without_a_file_they_are_a_column_of_the_rows(clf_run: Invoke, shapes: Path, expected: NDArray[np.float32]) -> None:
    assert clf_run(MODEL, "shapes", "-o", "rows.parquet", "--embeddings").exit_code == 1
    table = pq.read_table("rows.parquet")
    assert table.column_names[-1] == "embedding"
    empty = [status == "error" for status in table["status"].to_pylist()]
    assert table["embedding"].is_null().to_pylist() == empty
    np.testing.assert_allclose(column(Path("rows.parquet")), expected, atol=1e-4)


def test_a_second_run_writes_another_format_without_classifying_again(clf_run: Invoke, shapes: Path) -> None:
    clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "found.npy")
    done = clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "found.parquet")
    assert "all of them from earlier runs" in done.stderr
    np.testing.assert_array_equal(column(Path("found.parquet")), np.load("found.npy"))


def test_a_changed_image_has_its_new_vector(clf_run: Invoke, shapes: Path) -> None:
    clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "found.npy")
    before = np.load("found.npy")
    (shapes / "0.png").write_bytes((shapes / "9.png").read_bytes() + b" ")
    (shapes / "4b.png").write_bytes((shapes / "1.png").read_bytes())
    clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "found.npy", "--retry-failed")
    found = np.load("found.npy")
    np.testing.assert_allclose(found, before[[1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 1]], atol=1e-4)


def test_no_images_with_an_answer_give_an_empty_array(clf_run: Invoke, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"damaged")
    clf_run(MODEL, "bad.png", "--embeddings", "found.npy")
    assert np.load("found.npy").shape == (0, 16)


def test_a_model_without_embeddings_is_refused_with_the_cure(clf_run: Invoke, onnx_model: Path, photos: Path) -> None:
    check_is_refused(clf_run(onnx_model, "photos", "--embeddings", "e.npy"), "no output embedding.*clf-export --outputs")
    assert not Path("e.npy.journal").exists()


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--embeddings", "photos"), "parquet or .npy file, not 'photos'.*clf-run photos --embeddings"),
        (("--embeddings",), "stdout is none; name a file"),
        (("--embeddings", "-o", "rows.csv"), "rows.csv is none"),
        (("--embeddings", "e.npy", "--no-journal"), "leave out --no-journal"),
        (("--embeddings", "e.parquet", "-o", "e.parquet"), "anything but embeddings"),
        (("--embeddings", "missing/e.npy"), "make the folder .*missing first"),
        (("--embeddings", "mine.npy"), "mine.npy exists already.*--embeddings"),
        (("--embeddings", "mine.parquet"), "mine.parquet exists already.*--embeddings"),
        (("--embeddings", "e.npy", "--ray", "-o", "rows/"), "as a column of its parts; leave e.npy out"),
        (("--embeddings", "e.npy", "-s", "webcam"), "--embeddings is for images in files"),
    ],
)
def test_what_cannot_be_is_refused(clf_run: Invoke, photos: Path, flags: tuple[str, ...], pattern: str) -> None:
    np.save("mine.npy", np.zeros((3, 16), np.float32))
    Path("mine.parquet").write_bytes(b"PAR1")
    check_is_refused(clf_run(MODEL, "photos", *flags), pattern)


def test_embeddings_do_not_replace_rows_nor_rows_embeddings(clf_run: Invoke, photos: Path) -> None:
    clf_run(MODEL, "photos", "-o", "rows.parquet")
    clf_run(MODEL, "photos", "--embeddings", "e.parquet")
    check_is_refused(clf_run(MODEL, "photos", "--embeddings", "rows.parquet"), "exists already")
    check_is_refused(clf_run(MODEL, "photos", "-o", "e.parquet"), "exists already")


def test_rows_without_embeddings_are_not_continued_with_them(clf_run: Invoke, photos: Path) -> None:
    clf_run(MODEL, "photos", "-o", "rows.csv")
    check_is_refused(clf_run(MODEL, "photos", "-o", "rows.csv", "--embeddings", "e.npy"), "no --embeddings")


def test_the_journal_keeps_them_with_the_row(clf_run: Invoke, shapes: Path) -> None:
    clf_run(MODEL, "shapes", "-o", "rows.csv", "--embeddings", "e.npy")
    lines = [json.loads(line) for line in Path("rows.csv.journal").read_text().splitlines()]
    assert [bool(line.get("embedding")) for line in lines if "path" in line] == [
        line["status"] == "ok" for line in lines if "path" in line
    ]
