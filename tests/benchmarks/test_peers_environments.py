"""Peers whose packages conflict with ours get their own environment, or a sentence that says why not."""

import os
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import registry
from edgeclf.benchmarks.peers.environments import Environment, InstallError
from edgeclf.benchmarks.peers.rounds import Peer

pytestmark = pytest.mark.slow

TINY = Environment("tiny", ("tiny==1.0",))
ABSENT = Environment("tiny", ("absent==1.0",))


@pytest.fixture(autouse=True)
def index(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets pip find nothing but a wheel of `tiny 1.0` in a temporary folder."""
    folder = tmp_path_factory.mktemp("index")
    described = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "ANSWER = 42\n")
        wheel.writestr(f"{described}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{described}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{described}/RECORD", "")
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of this module, because an environment takes seconds to make."""
    return tmp_path_factory.mktemp("environments")


def test_an_environment_has_its_packages_and_edgeclf_but_none_of_our_other_packages(folder: Path) -> None:
    python = TINY.build(folder, ["tiny", "edgeclf.benchmarks.peers", "edgeclf.runtime.cores"])

    script = (
        "import importlib.util, edgeclf.benchmarks.peers as peers; print(peers.__file__, importlib.util.find_spec('numpy'))"
    )
    done = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(folder / "tiny"))
    assert done.stdout.endswith(" None\n")
    assert TINY.versions(folder) == "tiny 1.0"


def test_an_existing_environment_is_used_again(folder: Path) -> None:
    mark = TINY.build(folder, []).with_name("mark")
    mark.touch()

    TINY.build(folder, ["tiny"])
    assert mark.exists()


def test_a_package_without_a_version_gets_the_version_installed_here(folder: Path) -> None:
    with pytest.raises(InstallError, match=f"numpy=={version('numpy')}"):
        Environment("tiny", ("tiny==1.0", "numpy")).build(folder, [])


def test_a_module_that_cannot_be_imported_is_an_install_error(folder: Path) -> None:
    with pytest.raises(InstallError, match=r"ModuleNotFoundError.*'onnxruntime'"):
        TINY.build(folder, ["edgeclf.benchmarks.peers.plain_loop"])


def test_a_peer_that_cannot_be_installed_is_left_out_with_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "ELSEWHERE", {ABSENT: {"Absent": Peer("absent")}})

    found, sentences = registry.find_peers(folder)

    assert found == registry.HERE
    assert sentences.startswith("- `Absent`: not measured (pip: ")
    assert "absent==1.0" in sentences
    assert sentences in capsys.readouterr().err


def test_a_peer_that_can_be_installed_runs_in_its_environment_and_is_listed_with_its_version(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = Peer("environments", most=3)  # a module that needs only Python
    monkeypatch.setattr(registry, "ELSEWHERE", {TINY: {"Tiny": stand_in}})

    found, sentences = registry.find_peers(folder)

    assert found["Tiny"].python is not None
    assert found["Tiny"].python.is_relative_to(folder / "tiny")
    assert found["Tiny"].most == 3
    assert sentences == "- `Tiny`: tiny 1.0."
