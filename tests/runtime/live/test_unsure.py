"""Images saved for the next training."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.images.decode import read_file
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.unsure import UnsureFolder

IMAGE = np.full((48, 64, 3), (200, 40, 10), np.uint8)


class Saved:
    """An UnsureFolder with a clock of its own."""

    def __init__(self, folder: Path, most_bytes: int = 10_000_000) -> None:
        self.now = 0.0
        self.reports: list[str] = []
        self.folder = folder
        self.unsure = UnsureFolder(folder, most_bytes, report=self.reports.append, now=lambda: self.now)

    def save(self, count: int = 1, source: str = "webcam", guess: str = "cat", step_s: float = 2.0) -> None:
        for _ in range(count):
            self.unsure.save(source, IMAGE, guess, f"2026-01-02T03:04:{self.now:06.3f}Z")
            self.now += step_s

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def test_an_image_is_saved_in_the_folder_of_its_guess(tmp_path: Path) -> None:
    saved = Saved(tmp_path / "unsure")
    saved.save()
    assert saved.files == ["cat/20260102T030400.000Z_webcam.jpg"]


def test_saved_images_keep_their_colours(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    saved.save()
    pixels = Preprocess((48, 64))(read_file(tmp_path / saved.files[0]))
    assert pixels[24, 32].tolist() == pytest.approx(IMAGE[24, 32].tolist(), abs=4)


def test_at_most_one_image_a_second_is_saved_from_each_source(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    saved.save(30, step_s=0.1)
    saved.save(1, source="other", step_s=0.0)
    assert len(saved.files) == 4
    assert saved.unsure.saved == 4


def test_the_folder_does_not_exceed_its_limit_and_reports_it_once(tmp_path: Path) -> None:
    saved = Saved(tmp_path, most_bytes=5_000)
    saved.save(100)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 5_000
    assert len(saved.files) > 1
    assert [report.partition(":")[0] for report in saved.reports] == [f"unsure images are not saved in {tmp_path} for now"]


def test_saving_continues_after_the_folder_was_emptied(tmp_path: Path) -> None:
    saved = Saved(tmp_path, most_bytes=5_000)
    saved.save(100)
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    saved.now += 120
    saved.save(3)
    assert saved.files != []


def test_images_of_an_earlier_run_count(tmp_path: Path) -> None:
    Saved(tmp_path, most_bytes=5_000).save(100)
    before = Saved(tmp_path).files
    later = Saved(tmp_path, most_bytes=5_000)
    later.now = 1_000.0
    later.save()
    assert later.files == before


@pytest.mark.parametrize(
    "source", ["rtsp://user:***@10.0.0.7/stream?a=b", "../../etc/passwd", "/dev/video0", "", "caf\udce9", "x" * 900]
)
def test_no_source_or_label_escapes_from_the_folder(tmp_path: Path, source: str) -> None:
    saved = Saved(tmp_path / "unsure")
    saved.save(source=source, guess="../up")
    assert len(saved.files) == 1
    assert saved.files[0].count("/") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "unsure"]


def test_a_missing_folder_is_reported_and_the_run_continues(tmp_path: Path) -> None:
    saved = Saved(tmp_path / "unsure")
    (tmp_path / "unsure").rmdir()
    saved.save(3)
    assert len(saved.reports) == 1
    assert "cannot be written to" in saved.reports[0]


def test_saved_images_are_ordinary_jpegs(tmp_path: Path) -> None:
    saved = Saved(tmp_path)
    saved.save(guess="cat")
    assert cv2.imdecode(np.frombuffer(read_file(tmp_path / saved.files[0]), np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
