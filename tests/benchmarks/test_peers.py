"""Every peer classifies all images every time, and predicts the same labels as the others."""

import importlib
import importlib.util
import shutil
from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import journal, plain_loop, registry
from edgeclf.benchmarks.peers.reading import photographs
from edgeclf.benchmarks.peers.rounds import predictions
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
"""Modules, and the package that each needs."""


@pytest.fixture(scope="module")
def folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the peers, with JPEGs and PNGs in folders of different depth."""
    folder = tmp_path_factory.mktemp("peers")
    for name in ("model.onnx", "model.keras", "model.fp32.tflite"):
        shutil.copy(run_folder / name, folder)
    write_images(folder / "photographs", 3, ".jpg")
    write_images(folder / "photographs" / "more", 2, ".png", first_seed=50)
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[int]:
    labels = plain_loop.prepare(folder)()
    assert set(labels) == {0, 1}
    return labels


@pytest.mark.parametrize("module", MODULES)
def test_a_peer_classifies_every_image_every_time(module: str, folder: Path, expected: list[int]) -> None:
    classify_all = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(folder)
    assert [classify_all(), classify_all()] == [expected, expected]


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_peer_with_packages_of_its_own_classifies_every_image_every_time(
    module: str, folder: Path, expected: list[int]
) -> None:
    if importlib.util.find_spec(ELSEWHERE[module]) is None:
        pytest.skip(f"{ELSEWHERE[module]} is not installed; the benchmark makes an environment for it")
    test_a_peer_classifies_every_image_every_time(module, folder, expected)


@pytest.mark.exhaustive
def test_peers_in_their_own_environments_predict_the_same_labels(folder: Path, expected: list[int], tmp_path: Path) -> None:
    found, sentences = registry.find_peers(tmp_path)
    elsewhere = {name: peer for name, peer in found.items() if peer.python}

    assert "not measured" not in sentences
    assert predictions(elsewhere, folder) == dict.fromkeys(elsewhere, expected)


def test_the_slow_peer_can_classify_only_the_first_images(folder: Path, expected: list[int]) -> None:
    classify_all = importlib.import_module("edgeclf.benchmarks.peers.keras_loop").prepare(folder, 3)
    assert classify_all() == expected[:3]


@pytest.mark.parametrize("module", ["journal", "journal_read"])
def test_the_journal_holds_every_row_every_time(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_ROWS", 2000)
    classify_all = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(tmp_path)
    assert (len(classify_all()), len(classify_all())) == (2000, 2000)


def test_every_peer_is_a_module_that_is_tested_here() -> None:
    here = registry.limits() | registry.OURS | registry.HERE
    elsewhere = [peer for group in registry.ELSEWHERE.values() for peer in group.values()]
    assert {peer.module for peer in here.values()} == set(MODULES)
    assert {peer.module for peer in elsewhere} == set(ELSEWHERE)


def test_images_are_found_in_sorted_order(folder: Path) -> None:
    folders = [path.parent.relative_to(folder / "photographs").as_posix() for path in photographs(folder)]
    assert folders == ["disc"] * 3 + ["more/disc"] * 2 + ["more/square"] * 2 + ["square"] * 3
