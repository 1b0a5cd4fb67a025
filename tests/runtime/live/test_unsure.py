"""Images kept for the next round of training."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.images.decode import read_file
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.unsure import UnsureFolder

IMAGE = np.full((48, 64, 3), (200, 40, 10), np.uint8)


class Kept:
    def __init__(self, folder: Path, most_bytes: int = 10_000_000) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.folder = folder
        self.unsure = UnsureFolder(folder, most_bytes, report=self.said.append, now=lambda: self.now)

    def keep(self, count: int = 1, source: str = "webcam", guess: str = "cat", step_s: float = 2.0) -> None:
        for _ in range(count):
            self.unsure.save(source, IMAGE, guess, f"2026-01-02T03:04:{self.now:06.3f}Z")
            self.now += step_s

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def test_an_image_is_kept_in_the_folder_of_its_guess(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "unsure")
    kept.keep()
    assert kept.files == ["cat/20260102T030400.000Z_webcam.jpg"]


def test_colours_stay_what_they_were(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep()
    pixels = Preprocess((48, 64))(read_file(tmp_path / kept.files[0]))
    assert pixels[24, 32].tolist() == pytest.approx(IMAGE[24, 32].tolist(), abs=4)


def test_at_most_one_a_second_of_each_source(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep(30, step_s=0.1)
    kept.keep(1, source="other", step_s=0.0)
    assert len(kept.files) == 4
    assert kept.unsure.saved == 4


def test_the_folder_does_not_grow_beyond_its_bound_and_says_so_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, most_bytes=5_000)
    kept.keep(100)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 5_000
    assert len(kept.files) > 1
    assert [said.partition(":")[0] for said in kept.said] == [f"unsure images are not saved in {tmp_path} for now"]


def test_a_folder_that_was_emptied_is_filled_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path, most_bytes=5_000)
    kept.keep(100)
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    kept.now += 120
    kept.keep(3)
    assert kept.files != []


def test_what_an_earlier_run_kept_counts(tmp_path: Path) -> None:
    Kept(tmp_path, most_bytes=5_000).keep(100)
    before = Kept(tmp_path).files
    later = Kept(tmp_path, most_bytes=5_000)
    later.now = 1_000.0
    later.keep()
    assert later.files == before


@pytest.mark.parametrize(
    "source", ["rtsp://user:***@10.0.0.7/stream?a=b", "../../etc/passwd", "/dev/video0", "", "caf\udce9", "x" * 900]
)
def test_any_source_and_any_label_stay_below_the_folder(tmp_path: Path, source: str) -> None:
    kept = Kept(tmp_path / "unsure")
    kept.keep(source=source, guess="../up")
    assert len(kept.files) == 1
    assert kept.files[0].count("/") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "unsure"]


def test_a_folder_that_has_gone_is_reported_and_the_run_goes_on(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "unsure")
    (tmp_path / "unsure").rmdir()
    kept.keep(3)
    assert len(kept.said) == 1
    assert "cannot be written to" in kept.said[0]


def test_images_can_be_trained_on_as_they_lie(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep(guess="cat")
    assert cv2.imdecode(np.frombuffer(read_file(tmp_path / kept.files[0]), np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
