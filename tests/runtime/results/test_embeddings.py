"""Files of embeddings: whole or not at all, and readable without edgeclf."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.embeddings import check_embeddings, open_embeddings
from edgeclf.runtime.results.row import Row

VECTORS = np.random.default_rng(0).normal(size=(500, 8)).astype("<f4")
FILES = pytest.mark.parametrize("name", ["e.npy", "e.parquet"])


def write(path: Path) -> None:
    with open_embeddings(path, 8, len(VECTORS)) as sink:
        for number, vector in enumerate(VECTORS):
            sink.write(Row(f"{number}.png", "ok", embedding=vector.tobytes()))


def test_an_array_can_be_mapped_into_memory(tmp_path: Path) -> None:
    write(tmp_path / "e.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy", mmap_mode="r"), VECTORS)


@FILES
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], name: str
) -> None:
    with full_disk(10_000), pytest.raises(OutputError, match=r"cannot write .*e\..*; choose another place"):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@FILES
def test_a_full_disk_keeps_the_file_that_was_there(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], name: str
) -> None:
    write(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with full_disk(10_000), pytest.raises(OutputError):
        write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == before


@FILES
def test_only_files_of_embeddings_are_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    check_embeddings(path)
    if name == "e.npy":
        np.save(path, VECTORS)
    else:
        pq.write_table(pa.table({"path": ["a.png"], "embedding": [[1.0, 2.0]]}), path)
    with pytest.raises(OutputError, match="exists already"):
        check_embeddings(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "e.npy").mkdir()
    with pytest.raises(OutputError, match="not a file"):
        check_embeddings(tmp_path / "e.npy")
