"""What a worker does with portions, in this process: a cluster only carries them there and their results back."""

import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.cluster.cluster_worker import ClusterWorker
from edgeclf.runtime.cluster.job import Job, Portion, PortionResult, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.errors import DeviceError, ImageError, OutputError, Reason, SourceError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import RowBuilder
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.sources.unreadable import UnreadableImage
from edgeclf.runtime.storage.object_store import Store
from edgeclf.runtime.version import __version__
from tests.support.photos import photo
from tests.support.trained_run import KEPT_OUTPUTS

PLAN = Plan(workers=1, cores=2, threads=2, gpus=0, device="cpu")


@pytest.fixture
def photos(tmp_path: Path, png: bytes) -> Path:
    """Nine good images and a damaged one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.png").write_bytes(b"damaged" if number == 4 else png)
    return folder


@pytest.fixture
def job(tmp_path: Path, colour_model: Path, photos: Path) -> Job:
    parts = Parts(Store.open(str(tmp_path / "rows")))
    return Job(
        version=__version__,
        model_name=colour_model.name,
        model=colour_model.read_bytes(),
        card=None,
        builder=RowBuilder(model="0123456789abcdef"),
        checks=Checks(),
        batch=None,
        outputs=(),
        folder=str(tmp_path),
        roots=(str(photos),),
        parts=parts,
        fingerprint={},
        run_prefix=parts.begin({}, restart=False),
    )


@pytest.fixture(autouse=True)
def stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker changes the current folder of its process."""
    monkeypatch.chdir(tmp_path)


def portion_of(*names: Path | str, number: int = 0) -> Portion:
    frames = [frame for frame in open_source(*map(str, names)) if frame]
    return Portion(number, tuple(frames))


def results_of(job: Job, *portions: Portion) -> list[PortionResult]:
    """The results of a worker. Everything is pickled on the way, as in a cluster."""
    worker = ClusterWorker(*pickle.loads(pickle.dumps((job, PLAN))))
    return unpack(worker(pack(portions)))


def test_a_portion_becomes_a_part_with_a_row_for_each_frame(job: Job, photos: Path, tmp_path: Path) -> None:
    (result,) = results_of(job, portion_of(photos))
    assert (result.images, result.failed, result.error) == (10, 1, None)
    assert result.setting.startswith("onnxruntime")
    table = pq.read_table(tmp_path / "rows").to_pydict()
    assert table["path"] == [str(path) for path in sorted(photos.iterdir())]
    assert table["status"] == ["error" if number == 4 else "ok" for number in range(10)]
    assert set(table["model"]) == {"0123456789abcdef"}
    assert table["size_bytes"] == [path.stat().st_size for path in sorted(photos.iterdir())]


def test_each_portion_becomes_a_part_of_its_number(job: Job, photos: Path) -> None:
    results = results_of(job, portion_of(photos / "1.png", number=7), portion_of(photos / "2.png", number=8))
    assert [one.images for one in results] == [1, 1]
    assert job.parts.names() == [f"{job.run_prefix}-000007.parquet", f"{job.run_prefix}-000008.parquet"]


def test_a_portion_that_is_classified_twice_has_its_rows_once(job: Job, photos: Path) -> None:
    portion = portion_of(photos)
    results_of(job, portion)
    results_of(job, portion)
    assert job.parts.count().total == 10


def test_relative_names_are_relative_to_the_folder_of_the_command(
    job: Job, photos: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    portion = portion_of("photos")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (result,) = results_of(replace(job, roots=("photos",)), portion)
    assert (result.images, result.failed) == (10, 1)


def test_a_machine_that_does_not_see_the_images_ends_the_run_and_writes_no_row(job: Job, photos: Path) -> None:
    (result,) = results_of(replace(job, roots=("photos", "nowhere")), portion_of(photos))
    assert isinstance(result.error, SourceError)
    assert f"on the machine {socket.gethostname()}: nowhere does not exist; " in str(result.error)
    assert job.parts.names() == []


def test_a_machine_with_another_version_ends_the_run(job: Job, photos: Path) -> None:
    (result,) = results_of(replace(job, version="9.9"), portion_of(photos))
    assert f"edgeclf {__version__} is installed instead of 9.9" in str(result.error)


def test_images_whose_folder_has_gone_are_not_recorded_as_failed(job: Job, photos: Path) -> None:
    worker = ClusterWorker(job, PLAN)
    portion = portion_of(photos)
    photos.rename(photos.with_name("elsewhere"))
    (result,) = unpack(worker(pack([portion])))
    assert isinstance(result.error, SourceError)
    assert job.parts.names() == []


def test_a_machine_that_does_not_see_the_images_of_a_list_ends_the_run(job: Job, photos: Path, tmp_path: Path) -> None:
    listed = portion_of(*sorted(photos.iterdir()))
    photos.rename(tmp_path / "elsewhere")
    (result,) = results_of(replace(job, roots=()), listed)
    assert f"{photos / '0.png'} and 9 more do not exist" in str(result.error)
    assert job.parts.names() == []


def test_a_listed_image_that_was_removed_becomes_an_error_row(job: Job, photos: Path) -> None:
    listed = portion_of(*sorted(photos.iterdir()))
    (photos / "0.png").unlink()
    (result,) = results_of(replace(job, roots=()), listed)
    assert (result.images, result.failed, result.error) == (10, 2, None)


def test_a_machine_that_does_not_see_the_parts_ends_the_run_and_writes_no_part(
    job: Job, photos: Path, tmp_path: Path
) -> None:
    (result,) = results_of(replace(job, parts=Parts(Store.open(str(tmp_path / "own disk")))), portion_of(photos))
    assert "own disk is not the folder that the command writes to" in str(result.error)
    assert not (tmp_path / "own disk").exists()


def test_a_full_disk_ends_the_run(job: Job, photos: Path, full_disk: Callable[[int], object]) -> None:
    worker = ClusterWorker(job, PLAN)
    with full_disk(100):  # type: ignore[attr-defined]
        (result,) = unpack(worker(pack([portion_of(photos)])))
    assert isinstance(result.error, OutputError)
    assert job.parts.names() == []


def test_a_missing_device_ends_the_run_with_a_device_error(job: Job, photos: Path) -> None:
    worker = ClusterWorker(job, replace(PLAN, device="tensorrt"))
    (result,) = unpack(worker(pack([portion_of(photos)])))
    assert isinstance(result.error, DeviceError)


def test_a_card_from_the_command_line_is_used(
    job: Job, photos: Path, tmp_path: Path, build_onnx: Callable[..., object], colour_weights: object, colour_card: object
) -> None:
    model = build_onnx(colour_weights).SerializeToString()  # type: ignore[attr-defined]
    results = results_of(replace(job, model=model, card=colour_card), portion_of(photos))  # type: ignore[arg-type]
    assert results[0].images == 10


def test_a_frame_without_a_file_becomes_an_error_row(job: Job) -> None:
    (result,) = results_of(replace(job, roots=()), Portion(0, (Frame("gone.jpg", "gone.jpg", "gone.jpg"),)))
    assert (result.images, result.failed, result.error) == (1, 1, None)


def test_an_image_known_to_be_unreadable_becomes_an_error_row(job: Job) -> None:
    broken = UnreadableImage(ImageError(Reason.CORRUPT, "its archive is damaged"))
    (result,) = results_of(job, Portion(0, (Frame("a.zip/b.png", broken, "b.png"),)))
    assert (result.images, result.failed, result.error) == (1, 1, None)


def test_parts_have_the_columns_that_the_options_ask_for(job: Job, photos: Path, tmp_path: Path) -> None:
    (photos / "a.jpg").write_bytes(photo())
    schema = Schema(classes=("red", "green", "blue"), exif=True, ray=True)
    job = replace(job, parts=Parts(job.parts.store, schema), builder=RowBuilder(topk=3), checks=Checks(exif=True))

    results_of(job, portion_of(photos / "a.jpg"), portion_of(photos / "4.png", number=1))

    table = pq.read_table(tmp_path / "rows")
    assert table.column_names == [column.name for column in schema.columns("parquet")]
    assert sorted(table["camera"].to_pylist()) == ["", "Canon EOS 80D"]
    assert sum(score or 0 for name in schema.classes for score in table[f"score_{name}"].to_pylist()) == pytest.approx(1)


def test_embeddings_are_a_column_of_the_parts_and_stay_when_outdated_rows_are_dropped(
    job: Job, photos: Path, tmp_path: Path
) -> None:
    model = KEPT_OUTPUTS / "model.onnx"
    parts = replace(job.parts, schema=Schema(ray=True, embedding=16))
    wanted = replace(job, model=model.read_bytes(), outputs=("embedding",), parts=parts)
    results_of(wanted, portion_of(photos, number=0), portion_of(photos / "2.png", number=1))
    parts.drop_outdated()

    table = pq.read_table(tmp_path / "rows")
    assert table.num_rows == 10
    assert table["embedding"].is_null().to_pylist() == [status == "error" for status in table["status"].to_pylist()]
    expected = Classifier.open(model, device="cpu").embed(photos / "2.png")[0]
    np.testing.assert_allclose(table["embedding"].to_pylist()[-1], expected, atol=1e-4)
