"""`clf-run --like`: the images of a source that are most like one, the best first."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.novelty import scaled_to_1
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.runtime.cli.test_clf_run_options import check_is_refused
from tests.support.trained_run import KEPT_OUTPUTS

MODEL = KEPT_OUTPUTS / "model.onnx"


@pytest.fixture(scope="module")
def by_similarity(image_folder: Path) -> list[tuple[str, float]]:
    """Names of all images with their cosine to the first one, the most similar first."""
    classifier = Classifier.open(MODEL, device="cpu")
    paths = sorted(image_folder.rglob("*.png"))
    rows = scaled_to_1(np.concatenate([classifier.embed(path) for path in paths]))
    cosines = rows @ rows[0]
    return [(str(paths[index]), float(cosines[index])) for index in np.argsort(-cosines, kind="stable")]


@pytest.mark.parametrize(("flags", "count"), [((), 20), (("--topk", "1"), 1), (("--topk", "100"), 60)])
def test_the_most_similar_come_first(
    clf_run: Invoke, image_folder: Path, by_similarity: list[tuple[str, float]], flags: tuple[str, ...], count: int
) -> None:
    done = clf_run(MODEL, "--like", by_similarity[0][0], image_folder, *flags)
    assert done.exit_code == 0, done.stderr
    found = [float(row["similarity"]) for row in rows_of(done.stdout)]
    np.testing.assert_allclose(found, [cosine for _, cosine in by_similarity[:count]], atol=1e-4)
    assert found == sorted(found, reverse=True)
    assert rows_of(done.stdout)[0]["path"] == by_similarity[0][0]


def test_json_and_files_have_the_similarity(
    clf_run: Invoke, image_folder: Path, by_similarity: list[tuple[str, float]]
) -> None:
    line = clf_run(MODEL, "--like", by_similarity[0][0], image_folder, "--json", "--topk", "3").stdout.splitlines()[0]
    assert json.loads(line)["similarity"] == pytest.approx(1, abs=1e-5)
    for _ in range(2):  # an earlier result is replaced
        assert clf_run(MODEL, "--like", by_similarity[0][0], image_folder, "-o", "near.csv").exit_code == 0
    assert len(rows_of(Path("near.csv").read_text())) == 20
    assert not Path("near.csv.journal").exists()


def test_images_that_cannot_be_read_are_counted_and_no_result(clf_run: Invoke, photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"damaged")
    done = clf_run(MODEL, "--like", "photos/a.png", "photos")
    assert done.exit_code == 1
    assert [row["path"] for row in rows_of(done.stdout)] == ["photos/a.png", "photos/b.png", "photos/c.png"]
    assert "error: not_an_image" in done.stderr


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--like", "missing.png"), "--like missing.png is not a file"),
        (("--like", "photos"), "--like photos is not a file"),
        (("--like", "photos/notes.txt"), r"notes.txt cannot be read \(not_an_image: .*name an intact image"),
        (("--like", "photos/a.png", "--topk", "all"), "--topk 100"),
        (("--like", "photos/a.png", "--watch"), "--watch does not combine with --like"),
        (("--like", "photos/a.png", "--embeddings", "e.npy"), "--embeddings does not combine with --like"),
        (("--like", "photos/a.png", "--journal", "x"), "--journal does not combine with --like"),
        (("--like", "photos/a.png", "-s", "webcam"), "--like is for images in files"),
        (("--like", "photos/a.png", "--ray", "-o", "rows/"), "--like does not combine with --ray"),
    ],
)
def test_what_cannot_be_is_refused(clf_run: Invoke, photos: Path, flags: tuple[str, ...], pattern: str) -> None:
    check_is_refused(clf_run(MODEL, "photos", *flags), pattern)


def test_a_model_without_embeddings_is_refused_with_the_cure(clf_run: Invoke, onnx_model: Path, photos: Path) -> None:
    check_is_refused(clf_run(onnx_model, "photos", "--like", "photos/a.png"), "no output embedding.*clf-export --outputs")
