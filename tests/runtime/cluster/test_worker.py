"""What a worker does with portions, in this process: a cluster only carries them to it, and what became of them back."""

import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.cluster.job import Done, Job, Portion, pack, unpack
from edgeclf.runtime.cluster.plan import Plan
from edgeclf.runtime.cluster.worker import Worker
from edgeclf.runtime.errors import DeviceError, ImageError, OutputError, Reason, SourceError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import RowBuilder
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.sources.unreadable import Broken
from edgeclf.runtime.storage.object_store import Store
from edgeclf.runtime.version import __version__

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
        folder=str(tmp_path),
        roots=(str(photos),),
        parts=parts,
        made_with={},
        run=parts.begin({}, restart=False),
    )


@pytest.fixture(autouse=True)
def stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker changes the folder of its process."""
    monkeypatch.chdir(tmp_path)


def portion_of(*names: Path | str, number: int = 0) -> Portion:
    frames = [frame for frame in open_source(*map(str, names)) if frame]
    return Portion(number, tuple(frames))


def done_by(job: Job, *portions: Portion) -> list[Done]:
    """As a cluster does it: everything is pickled on the way."""
    worker = Worker(*pickle.loads(pickle.dumps((job, PLAN))))
    return unpack(worker(pack(portions)))


def test_a_portion_becomes_a_part_with_a_row_for_each_frame(job: Job, photos: Path, tmp_path: Path) -> None:
    (done,) = done_by(job, portion_of(photos))
    assert (done.images, done.failed, done.trouble) == (10, 1, None)
    assert done.setting.startswith("onnxruntime")
    table = pq.read_table(tmp_path / "rows").to_pydict()
    assert table["path"] == [str(path) for path in sorted(photos.iterdir())]
    assert table["status"] == ["error" if number == 4 else "ok" for number in range(10)]
    assert set(table["model"]) == {"0123456789abcdef"}
    assert table["size_bytes"] == [path.stat().st_size for path in sorted(photos.iterdir())]


def test_each_portion_becomes_a_part_of_its_number(job: Job, photos: Path) -> None:
    done = done_by(job, portion_of(photos / "1.png", number=7), portion_of(photos / "2.png", number=8))
    assert [one.images for one in done] == [1, 1]
    assert job.parts.names() == [f"{job.run}-000007.parquet", f"{job.run}-000008.parquet"]


def test_a_portion_that_is_done_twice_is_there_once(job: Job, photos: Path) -> None:
    portion = portion_of(photos)
    done_by(job, portion)
    done_by(job, portion)
    assert job.parts.count().total == 10


def test_relative_names_are_relative_to_where_the_command_was_run(
    job: Job, photos: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    portion = portion_of("photos")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (done,) = done_by(replace(job, roots=("photos",)), portion)
    assert (done.images, done.failed) == (10, 1)


def test_a_machine_that_does_not_see_the_images_ends_the_run_and_writes_no_row(job: Job, photos: Path) -> None:
    (done,) = done_by(replace(job, roots=("photos", "nowhere")), portion_of(photos))
    assert isinstance(done.trouble, SourceError)
    assert f"on the machine {socket.gethostname()}: nowhere is not there; put the images" in str(done.trouble)
    assert job.parts.names() == []


def test_a_machine_with_another_version_ends_the_run(job: Job, photos: Path) -> None:
    (done,) = done_by(replace(job, version="9.9"), portion_of(photos))
    assert f"edgeclf {__version__} in place of 9.9; install one version on all machines" in str(done.trouble)


def test_images_that_are_gone_with_their_folder_are_not_recorded_as_bad(job: Job, photos: Path) -> None:
    worker = Worker(job, PLAN)
    portion = portion_of(photos)
    photos.rename(photos.with_name("elsewhere"))
    (done,) = unpack(worker(pack([portion])))
    assert isinstance(done.trouble, SourceError)
    assert job.parts.names() == []


def test_a_machine_that_does_not_see_the_images_of_a_list_ends_the_run(job: Job, photos: Path, tmp_path: Path) -> None:
    listed = portion_of(*sorted(photos.iterdir()))
    photos.rename(tmp_path / "elsewhere")
    (done,) = done_by(replace(job, roots=()), listed)
    assert f"{photos / '0.png'} and 9 more are not there; put the images" in str(done.trouble)
    assert job.parts.names() == []


def test_an_image_of_a_list_that_was_removed_meanwhile_is_a_row(job: Job, photos: Path) -> None:
    listed = portion_of(*sorted(photos.iterdir()))
    (photos / "0.png").unlink()
    (done,) = done_by(replace(job, roots=()), listed)
    assert (done.images, done.failed, done.trouble) == (10, 2, None)


def test_a_machine_that_does_not_see_the_parts_ends_the_run_and_writes_none(job: Job, photos: Path, tmp_path: Path) -> None:
    (done,) = done_by(replace(job, parts=Parts(Store.open(str(tmp_path / "own disk")))), portion_of(photos))
    assert "own disk is not that of the command; name a folder that all machines share, or a URI" in str(done.trouble)
    assert not (tmp_path / "own disk").exists()


def test_a_full_disk_ends_the_run(job: Job, photos: Path, full_disk: Callable[[int], object]) -> None:
    worker = Worker(job, PLAN)
    with full_disk(100):  # type: ignore[attr-defined]
        (done,) = unpack(worker(pack([portion_of(photos)])))
    assert isinstance(done.trouble, OutputError)
    assert job.parts.names() == []


def test_a_device_that_is_not_there_ends_the_run_with_its_own_error(job: Job, photos: Path) -> None:
    worker = Worker(job, replace(PLAN, device="tensorrt"))
    (done,) = unpack(worker(pack([portion_of(photos)])))
    assert isinstance(done.trouble, DeviceError)


def test_a_card_from_the_command_line_goes_along(
    job: Job, photos: Path, tmp_path: Path, build_onnx: Callable[..., object], colour_weights: object, colour_card: object
) -> None:
    model = build_onnx(colour_weights).SerializeToString()  # type: ignore[attr-defined]
    done = done_by(replace(job, model=model, card=colour_card), portion_of(photos))  # type: ignore[arg-type]
    assert done[0].images == 10


def test_a_frame_without_a_file_is_a_row(job: Job) -> None:
    (done,) = done_by(replace(job, roots=()), Portion(0, (Frame("gone.jpg", "gone.jpg", "gone.jpg"),)))
    assert (done.images, done.failed, done.trouble) == (1, 1, None)


def test_an_image_that_is_known_to_be_broken_is_a_row(job: Job) -> None:
    broken = Broken(ImageError(Reason.CORRUPT, "its archive is damaged"))
    (done,) = done_by(job, Portion(0, (Frame("a.zip/b.png", broken, "b.png"),)))
    assert (done.images, done.failed, done.trouble) == (1, 1, None)
