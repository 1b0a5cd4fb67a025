"""Every candidate does the whole job: all images, each time, with the answers that the others give."""

import importlib
import importlib.util
import shutil
from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import plain_loop, registry
from edgeclf.benchmarks.peers.reading import photographs
from edgeclf.benchmarks.peers.rounds import answers
from tests.support.drawings import write_images

MODULES = (
    "limit",
    "pipeline",
    "litert",
    "full_decode",
    "plain_loop",
    "litert_loop",
    "keras_loader",
    "keras_loop",
    "tf_data",
)
ELSEWHERE = {
    "openvino_queue": "openvino",
    "openvino_threads": "openvino",
    "torch_loader": "torch",
    "ultralytics_predict": "ultralytics",
}
"""Modules with the package that they need."""
EVERYBODY = registry.limits() | registry.OURS | registry.HERE
GUESTS = [candidate for group in registry.ELSEWHERE.values() for candidate in group.values()]


@pytest.fixture(scope="module")
def job(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the candidates take it, with JPEGs and PNGs in folders of different depth."""
    folder = tmp_path_factory.mktemp("job")
    for name in ("model.onnx", "model.keras", "model.fp32.tflite"):
        shutil.copy(run_folder / name, folder)
    write_images(folder / "photographs", 3, ".jpg")
    write_images(folder / "photographs" / "more", 2, ".png", first_seed=50)
    return folder


@pytest.fixture(scope="module")
def expected(job: Path) -> list[int]:
    labels = plain_loop.prepare(job)()
    assert set(labels) == {0, 1}
    return labels


@pytest.mark.parametrize("module", MODULES)
def test_a_candidate_answers_every_image_each_time(module: str, job: Path, expected: list[int]) -> None:
    run = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(job)
    assert [run(), run()] == [expected, expected]


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_guest_answers_every_image_each_time(module: str, job: Path, expected: list[int]) -> None:
    if importlib.util.find_spec(ELSEWHERE[module]) is None:
        pytest.skip(f"{ELSEWHERE[module]} is not installed: the benchmark makes an environment of its own for it")
    test_a_candidate_answers_every_image_each_time(module, job, expected)


@pytest.mark.exhaustive
def test_guests_answer_as_the_others_do_in_environments_of_their_own(job: Path, expected: list[int], tmp_path: Path) -> None:
    peers, sentences = registry.find_peers(tmp_path)
    guests = {name: peer for name, peer in peers.items() if peer.python}

    assert "not measured here" not in sentences
    assert answers(guests, job) == dict.fromkeys(guests, expected)


def test_the_slow_one_can_take_the_first_images_only(job: Path, expected: list[int]) -> None:
    run = importlib.import_module("edgeclf.benchmarks.peers.keras_loop").prepare(job, 3)
    assert run() == expected[:3]


@pytest.mark.parametrize("module", ["journal", "journal_read"])
def test_the_journal_takes_every_row_each_time(module: str, tmp_path: Path) -> None:
    run = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(tmp_path)
    assert (len(run()), len(run())) == (20_000, 20_000)


def test_every_candidate_is_a_module_that_is_tested_here() -> None:
    assert {candidate.module for candidate in EVERYBODY.values()} == set(MODULES)
    assert {candidate.module for candidate in GUESTS} == set(ELSEWHERE)


def test_images_are_found_in_sorted_order(job: Path) -> None:
    folders = [path.parent.relative_to(job / "photographs").as_posix() for path in photographs(job)]
    assert folders == ["disc"] * 3 + ["more/disc"] * 2 + ["more/square"] * 2 + ["square"] * 3
