"""`clf-inspect`: its stdout, its error in one line, its exit code."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import Result

from edgeclf.runtime import ModelCard, Preprocess
from edgeclf.runtime.cli.clf_inspect import app
from edgeclf.runtime.inspection import environment
from edgeclf.runtime.model.card import CARD_MEMBER
from tests.conftest import Command

BuildOnnx = Callable[..., onnx.ModelProto]
Inspect = Callable[..., Result]
MODELS = ("model.onnx", "model.tflite", "model.keras")


@pytest.fixture
def inspect(in_process: Callable[[typer.Typer], Inspect]) -> Inspect:
    return in_process(app)


@pytest.mark.parametrize("name", MODELS)
def test_an_intact_model_is_shown_in_words(name: str, colour_files: Path, inspect: Inspect) -> None:
    done = inspect(name)

    assert (done.exit_code, done.stderr) == (0, "")
    for words in (
        "3: red, green, blue",
        "8 x 8 (H x W), RGB",
        "shrink, fit stretch",
        "image: ",
        "sha256",
        "Dense" if name == "model.keras" else "kept (",
    ):
        assert words in done.stdout


def test_parity_is_shown_without_overclaiming(colour_files: Path, inspect: Inspect) -> None:
    shown = inspect("model.onnx").stdout

    assert "92.50% (95 % interval 80.10% to 97.40%); Keras 95.00%" in shown
    assert "97.50% the same classes as Keras; largest difference of a probability 0.0123" in shown
    assert "no digest to prove" in shown


@pytest.mark.parametrize("name", MODELS)
def test_json_is_one_object_with_everything(name: str, colour_files: Path, inspect: Inspect, colour_card: ModelCard) -> None:
    shown = json.loads(inspect(name, "--json").stdout)

    names = ["file", "format", "bytes", "digests", "structure", "card", "contract", "parity", "problem", "other_tool"]
    assert list(shown) == names
    assert ModelCard.from_json(json.dumps(shown["card"])) == colour_card
    assert shown["structure"]["inputs"][0]["name"] == "image"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["words", "json"])
def test_a_flipped_bit_is_reported_as_damage_with_exit_2(
    options: tuple[str, ...], name: str, colour_files: Path, inspect: Inspect
) -> None:
    data = bytearray((colour_files / name).read_bytes())
    data[len(data) // 3] ^= 1
    (colour_files / name).write_bytes(data)

    done = inspect(name, *options)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {name}")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert name == "model.keras" or "DAMAGED" in done.stdout or '"inner": "differs"' in done.stdout


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_a_one_line_error_and_exit_2(
    kept: float, name: str, colour_files: Path, inspect: Inspect
) -> None:
    data = (colour_files / name).read_bytes()
    (colour_files / name).write_bytes(data[: int(len(data) * kept)])

    done = inspect(name)

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source in MODELS for target in MODELS if source != target]
)
def test_a_renamed_file_is_a_one_line_error_and_exit_2(
    source: str, target: str, colour_files: Path, inspect: Inspect
) -> None:
    (colour_files / "other").mkdir()
    os.replace(colour_files / source, colour_files / "other" / target)

    done = inspect(f"other/{target}")

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in done.stderr


def test_text_from_a_file_is_escaped(
    build_onnx: BuildOnnx,
    colour_weights: NDArray,
    tmp_path: Path,
    inspect: Inspect,  # type: ignore[type-arg]
) -> None:
    evil = "\x1b]0;owned\x07\r[red]\u202e"
    model = build_onnx(colour_weights)
    model.producer_name = model.graph.node[0].doc_string = evil
    model.graph.input[0].name = model.graph.node[0].input[0] = f"image{evil}"
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "a.parity.json").write_text(
        json.dumps(
            {
                "verified_on": evil,
                "artifacts": [{"file": "a.onnx", "accuracy": evil, "images": [evil]}],
                "made_with": {evil: evil},
            }
        )
    )

    done = inspect("a.onnx")

    assert done.exit_code == 0
    assert "".join(done.stdout.split("\n")).isprintable()
    assert r"\x1b]0;owned\x07\r[red]" in done.stdout


def test_text_from_a_card_is_escaped(tmp_path: Path, inspect: Inspect) -> None:
    card = ModelCard(
        ("a\x1b[31m", "b\nc", *map(str, range(500))), Preprocess((8, 8)), training={"x\x07": {"y\x1b": [float("nan")]}}
    )
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", '{"config": {"layers": [{"class_name": "\\u001b[2J"}]}}')
        archive.writestr("metadata.json", '{"keras_version": "\\u001b"}')
        archive.writestr(CARD_MEMBER, card.to_json())

    done = inspect("m.keras")

    assert (done.exit_code, done.stderr) == (0, "")
    assert "".join(done.stdout.split("\n")).isprintable()
    assert r"502: a\x1b[31m, b\nc, 0, " in done.stdout
    assert "and 492 more" in done.stdout
    json.loads(inspect("m.keras", "--json").stdout, parse_constant=pytest.fail)


def test_a_missing_card_is_reported(
    build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path, inspect: Inspect
) -> None:  # type: ignore[type-arg]
    (tmp_path / "bare.onnx").write_bytes(build_onnx(colour_weights).SerializeToString())

    done = inspect("bare.onnx")

    assert done.exit_code == 0
    assert "  missing      its classes\n  to do        adopt it: clf-export bare.onnx --classes labels.txt" in done.stdout


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.onnx", b"caf\xe9.onnx", b"-v.onnx"], ids=["escapes", "latin-1", "dash"])
def test_an_odd_file_name_works_and_a_pipe_gets_plain_text(
    name: bytes, colour_model: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / os.fsdecode(name)).write_bytes(colour_model.read_bytes())

    done = command("clf-inspect", "--", os.fsdecode(name), env=os.environ | {"TERM": "xterm-256color"})

    assert done.returncode == 0
    assert "".join((done.stdout + done.stderr).split("\n")).isprintable()
    assert "contract       kept" in done.stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.onnx", b"caf\xe9.onnx"], ids=["escapes", "latin-1"])
def test_an_odd_name_of_a_missing_file_is_escaped(name: bytes, command: Command) -> None:
    done = command("clf-inspect", "--", os.fsdecode(name))

    assert done.returncode == 2
    assert "".join((done.stdout + done.stderr).split("\n")).isprintable()


def test_it_runs_without_litert_and_without_training_libraries(colour_files: Path, fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('ai_edge_litert', 'tensorflow', 'keras', 'onnx', 'matplotlib'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from edgeclf.runtime.cli.clf_inspect import main\n"
        "for line in (['model.tflite'], ['model.onnx'], []):\n"
        "    sys.argv = ['clf-inspect', *line]\n"
        "    try: main()\n"
        "    except SystemExit as end: print('EXIT', end.code)\n"
    )

    assert printed.count("EXIT 0") == 3
    assert printed.count("pip install 'edgeclf[litert]'") == 2


def test_the_machine_is_shown(inspect: Inspect) -> None:
    done = inspect()

    assert (done.exit_code, done.stderr) == (0, "")
    for words in ("edgeclf", "Python", "processor", "usable of the machine's", "  CPU          starts", "cameras"):
        assert words in done.stdout


def test_the_machine_is_shown_as_json(inspect: Inspect) -> None:
    shown = json.loads(inspect("--json").stdout)

    assert shown["providers"]["CPUExecutionProvider"] == {"works": True, "problem": ""}
    assert shown["conflicts"] == []


def test_a_conflict_comes_first_and_exits_0(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"onnxruntime": "1", "onnxruntime-gpu": "1"}
    monkeypatch.setattr(environment, "installed", lambda packages: both)

    done = inspect()

    assert done.exit_code == 0
    assert done.stdout.startswith(
        "CONFLICT       onnxruntime and onnxruntime-gpu overwrite each other; to repair: pip uninstall -y "
    )
    assert json.loads(inspect("--json").stdout)["conflicts"][0]["cure"] == environment.find_conflicts(both)[0].cure
