"""`clf-run --explain DIR`: where the model looked, for the answers that were asked about, and nothing else is touched."""

from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.images.decode import Pixels, decode
from edgeclf.runtime.images.formats.header import read_header
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.drawings import draw, write_images
from tests.support.files import files
from tests.support.trained_run import KEPT_OUTPUTS, KEPT_RUN

WITH_MAPS = ("model.onnx", "model.int8.tflite")
BY = (["--explain-by", "maps"], ["--explain-by", "occlusion"])
CAPTION = 40


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Discs and squares, two of each, and an image that is damaged."""
    write_images(tmp_path / "shapes", 2)
    whole = (tmp_path / "shapes" / "disc" / "disc000.png").read_bytes()
    (tmp_path / "shapes" / "cut.png").write_bytes(whole[:-60])
    return tmp_path / "shapes"


def shown(path: Path) -> Pixels:
    """The image of an explanation, without its caption."""
    data = path.read_bytes()
    return decode(data, read_header(data), 3)[:-CAPTION]


def warmth(path: Path) -> Pixels:
    """How yellow each pixel is: positive where the map is above its middle."""
    drawn = shown(path).astype(int)
    return np.asarray(drawn[..., 0] - drawn[..., 2])


@pytest.mark.parametrize("by", BY, ids=("maps", "occlusion"))
@pytest.mark.parametrize("model", WITH_MAPS)
def test_each_answer_has_an_image_with_its_map(
    clf_run: Invoke, shapes: Path, tmp_path: Path, model: str, by: list[str]
) -> None:
    before = {name: (shapes / name).read_bytes() for name in files(shapes)}

    done = clf_run(KEPT_OUTPUTS / model, "shapes", "--explain", "drawn", "-o", "r.csv", *by)

    names = [f"{kind}/{kind}00{number}.png.jpg" for kind in ("disc", "square") for number in (0, 1)]
    assert (done.exit_code, sorted(files(tmp_path / "drawn"))) == (1, names), done.stderr
    assert {name: (shapes / name).read_bytes() for name in files(shapes)} == before
    assert ("49 more runs of the model for each image" in done.stderr) == ("occlusion" in by)
    for name in names[:2]:
        disc = draw("disc", int(name[9:12])).max(axis=2) > 140
        warm = warmth(tmp_path / "drawn" / name)
        at = np.unravel_index(warm.argmax(), warm.shape)
        assert disc[at[0] * 48 // warm.shape[0], at[1] * 64 // warm.shape[1]]


def test_the_rows_are_those_of_a_run_without(clf_run: Invoke, shapes: Path, tmp_path: Path) -> None:
    clf_run(KEPT_OUTPUTS / "model.onnx", "shapes", "-o", "plain.csv", "--topk", "2")
    clf_run(KEPT_OUTPUTS / "model.onnx", "shapes", "-o", "explained.csv", "--topk", "2", "--explain", "drawn")

    plain, explained = (rows_of((tmp_path / name).read_text()) for name in ("plain.csv", "explained.csv"))
    assert [row | {"time": ""} for row in plain] == [row | {"time": ""} for row in explained]


def test_only_the_answers_that_were_asked_about(clf_run: Invoke, shapes: Path, tmp_path: Path) -> None:
    line = [KEPT_OUTPUTS / "model.onnx", "shapes", "--explain-if", "unsure,square"]

    clf_run(*line, "--explain", "labels")
    clf_run(*line, "--explain", "unsure", "--conf", "0.9999999")

    assert sorted(files(tmp_path / "labels")) == ["square/square000.png.jpg", "square/square001.png.jpg"]
    assert len(files(tmp_path / "unsure")) == 4


def test_a_run_that_goes_on_explains_what_is_missing_and_nothing_else(clf_run: Invoke, shapes: Path, tmp_path: Path) -> None:
    (shapes / "cut.png").unlink()
    line = [KEPT_OUTPUTS / "model.onnx", "shapes", "-o", "r.csv"]
    clf_run(*line)

    late = clf_run(*line, "--explain", "drawn", "--explain-if", "square")
    again = clf_run(*line, "--explain", "drawn", "--explain-if", "square")

    assert "4 images, 2 of them in this run" in late.stderr
    assert "all of them from earlier runs" in again.stderr
    assert sorted(files(tmp_path / "drawn")) == ["square/square000.png.jpg", "square/square001.png.jpg"]


def test_answers_and_explanations_have_room_in_one_folder(clf_run: Invoke, shapes: Path, tmp_path: Path) -> None:
    line = [KEPT_OUTPUTS / "model.onnx", "shapes/disc/disc000.png", "--save", "drawn", "--explain", "drawn"]

    clf_run(*line)
    clf_run(*line)

    assert sorted(files(tmp_path / "drawn")) == ["shapes/disc/disc000.png (2).jpg", "shapes/disc/disc000.png.jpg"]


def test_a_model_without_maps_is_explained_by_occlusion(clf_run: Invoke, shapes: Path, tmp_path: Path) -> None:
    refused = clf_run(KEPT_RUN / "model.onnx", "shapes", "--explain", "drawn", "-o", "r.csv")
    done = clf_run(KEPT_RUN / "model.onnx", "shapes", "--explain", "drawn", "--explain-by", "occlusion", "-o", "r.csv")

    assert refused.exit_code == 2
    assert refused.stderr.count("error:") == 1
    assert "--explain-by occlusion, which costs 49 more runs" in refused.stderr
    assert len(files(tmp_path / "drawn")) == 4, done.stderr


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["shapes", "--explain", "shapes/drawn"], "--explain shapes/drawn lies in the source shapes"),
        (["shapes", "--explain", "drawn", "--explain-if", "unsre"], "--explain-if unsre: .* did you mean unsure?"),
        (["shapes", "--explain", "drawn", "--explain-if", "disk"], "--explain-if disk: .* did you mean disc?"),
        (["shapes", "--explain-if", "unsure"], "add --explain DIR"),
        (["shapes", "--explain-by", "occlusion"], "--explain-by says more about --explain"),
        (["shapes", "--explain", "drawn", "--explain-by", "oclusion"], "did you mean occlusion?"),
        (["clip.mp4", "--explain", "drawn"], "--explain is for image files, and clip.mp4 is a video; .* press h"),
        (["webcam", "--explain", "drawn"], "--explain is for image files; .* press h"),
        (["shapes", "--ray", "auto", "-o", "rows", "--explain", "drawn"], "--explain does not combine with --ray"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_explained_is_one_sentence(
    arguments: list[str], pattern: str, clf_run: Invoke, shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")

    done = clf_run(KEPT_OUTPUTS / "model.onnx", *arguments)

    assert done.exit_code == 2
    assert all(part in done.stderr for part in pattern.split(" .* ")), done.stderr
    assert done.stderr.count("error:") == 1
    assert not (tmp_path / "drawn").exists()
