"""What an error advises works: every command and flag that a sentence names exists, and following the advice leads on."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import onnx
import pytest
import typer
from typer.testing import Result

from edgeclf.runtime.cli.model_flags import CardFlags
from tests.support.scripts import app_of, commands

ROOT = Path(__file__).parents[1]
LAYERS = ("runtime", "train", "export", "benchmarks")
PAGES = [
    "README.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")) if "clf-" in path.read_text("utf-8")),
]
NAMED_COMMAND = re.compile(r"(clf-[a-z]+)( (?:evaluate|check|undo)\b)?((?:(?! clf-)[^;,()\n])*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OTHER_PROGRAMS = re.compile(
    r"\b(?:ray start|pip|yolo export|optimum-cli|python -m|tensorflowjs_converter) [^;,]*|a container needs --device"
)
OF_ALL_COMMANDS = {"--help", "--help-all", "--install-completion", "--show-completion"}
OPENS_MODELS = ("clf-run", "clf-train evaluate", "clf-bench", "clf-export check")

Invoke = Callable[..., Result]


def module_path(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split(".")[1:])
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imported(path: Path) -> frozenset[Path]:
    """The project's files that a file imports anywhere, also by a name in a string."""
    nodes = list(ast.walk(syntax(path)))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    names |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(file for name in names if name.startswith("edgeclf.") and (file := module_path(name)))


def reached_from(start: Path) -> set[Path]:
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return found


@cache
def flags_of(command: str) -> frozenset[str]:
    options = [option for option in commands()[command].params if option.param_type_name == "option"]
    return frozenset(text for option in options for text in (*option.opts, *option.secondary_opts)) | OF_ALL_COMMANDS


@cache
def readers() -> dict[Path, frozenset[str]]:
    """The commands by the files that they can reach."""
    found: dict[Path, set[str]] = {}
    for name, command in commands().items():
        start = module_path(command.callback.__module__)
        assert start
        for path in reached_from(start):
            found.setdefault(path, set()).add(name)
    return {path: frozenset(names) for path, names in found.items()}


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of every string but docstrings; `{}` stands for a value."""
    nodes = list(ast.walk(syntax(path)))
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    skipped |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "{" not in node.value:
            yield node.lineno, node.value


def wrong_advice(path: Path, text: str) -> list[str]:
    """Commands and flags in the text that do not exist in the command that it names, or that can say it."""
    found = []
    for name, sub_name, rest in NAMED_COMMAND.findall(text):
        command = name + sub_name
        if command not in commands():
            found.append(command)
        else:
            found += [f"{command} {flag}" for flag in FLAG.findall(rest) if flag not in flags_of(command)]
    here = readers()[path]
    alone = FLAG.findall(OTHER_PROGRAMS.sub("", NAMED_COMMAND.sub("", text)))
    return found + [flag for flag in alone if not any(flag in flags_of(command) for command in here)]


def test_commands_and_flags_that_a_sentence_names_exist() -> None:
    checked, wrong = 0, []
    for path in sorted(readers()):
        for line, text in sentences(path):
            if " " in text.strip() and (FLAG.search(text) or NAMED_COMMAND.search(text)):
                checked += 1
                wrong += [f"{path.relative_to(ROOT)}:{line}: {what}" for what in wrong_advice(path, text)]
    assert wrong == []
    assert checked > 150


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_flags_in_the_documentation_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.partition(" # ")[0] for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(clf-[^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [found for line in lines for found in NAMED_COMMAND.findall(line)]
    assert found
    assert {name + sub for name, sub, _ in found} - set(commands()) == set()
    assert [
        f"{name}{sub} {flag}" for name, sub, rest in found for flag in FLAG.findall(rest) if flag not in flags_of(name + sub)
    ] == []


@pytest.mark.parametrize("command", OPENS_MODELS)
def test_what_is_wrong_with_a_model_is_cured_with_flags_that_every_command_has(command: str) -> None:
    paths = [path for path in readers() if path.parent == ROOT / "runtime" / "model"]
    texts = [OTHER_PROGRAMS.sub("", NAMED_COMMAND.sub("", text)) for path in paths for _, text in sentences(path)]
    # A device is refused only where one can be asked for.
    assert {flag for text in texts for flag in FLAG.findall(text)} - flags_of(command) <= {"--device"}


@pytest.mark.parametrize("command", OPENS_MODELS)
def test_every_command_that_opens_exported_models_takes_their_description(command: str) -> None:
    assert {f"--{field.name}" for field in fields(CardFlags)} <= flags_of(command)


@pytest.fixture(scope="module")
def theirs(onnx_model: Path, image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `bare.onnx`, a model without a card; `ours.onnx`, the same with its card; and `photos/`."""
    folder = tmp_path_factory.mktemp("theirs")
    shutil.copy(onnx_model, folder / "ours.onnx")
    model = onnx.load(onnx_model)
    del model.metadata_props[:]
    onnx.save(model, folder / "bare.onnx")
    for label in ("disc", "square"):
        (folder / "photos" / label).mkdir(parents=True)
        for path in sorted((image_folder / label).iterdir())[:4]:
            shutil.copy(path, folder / "photos" / label)
    return folder


LINES = {
    "clf-run": ("bare.onnx", "-s", "photos", "-o", "rows.csv"),
    "clf-train evaluate": ("evaluate", "bare.onnx", "photos"),
    "clf-bench": ("bare.onnx", "--data", "photos", "--rounds", "1", "--seconds", "0.1"),
    "clf-export check": ("check", "bare.onnx", "--against", "ours.onnx", "--data", "photos"),
}


@pytest.fixture
def invoke(in_process: Callable[[typer.Typer], Invoke], theirs: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    def run(command: str, *arguments: str) -> Result:
        done = in_process(app_of(command.split()[0]))
        monkeypatch.chdir(theirs)
        return done(*arguments)

    return run


@pytest.mark.parametrize("command", OPENS_MODELS)
def test_a_model_without_a_card_works_as_its_error_advises(command: str, invoke: Invoke, theirs: Path) -> None:
    (theirs / "labels.txt").write_text("disc\nsquare\n")

    refused = invoke(command, *LINES[command])
    advised = re.search(r"--classes labels\.txt( --\S+( \S+)?)?", refused.stderr)
    assert refused.exit_code in (2, 3)
    assert advised, refused.stderr

    done = invoke(command, *LINES[command], *advised[0].split())
    assert done.exit_code == 0, done.stderr


def test_a_model_without_a_card_does_not_stop_the_benchmark_of_the_others(invoke: Invoke) -> None:
    done = invoke("clf-bench", ".", "--data", "photos", "--rounds", "1", "--seconds", "0.1")

    assert done.exit_code == 0, done.stderr
    assert "left out: bare.onnx carries no model card" in done.stderr
    assert done.stdout.strip() == "ours.onnx"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain.keras", "older.h5", "MODEL.KERAS"])
def test_a_keras_model_without_a_card_is_exported_as_the_error_advises(
    name: str, invoke: Invoke, theirs: Path, run_folder: Path, tmp_path: Path
) -> None:
    import keras

    model = keras.models.load_model(run_folder / "model.keras")
    saved = tmp_path / name.lower()
    model.save(saved)
    shutil.move(saved, theirs / name)
    (theirs / "labels.txt").write_text("disc\nsquare\n")
    evaluated = invoke("clf-train evaluate", "evaluate", name, "photos")
    advised = re.search(r"(clf-export) (\S+ [^,;\n]*)", evaluated.stderr)
    assert advised, evaluated.stderr

    done = invoke(advised[1], *advised[2].split(), "-o", str(tmp_path), "--format", "onnx")
    assert done.exit_code == 0, done.stderr
    assert [path.suffix for path in tmp_path.glob("*.onnx")] == [".onnx"]


def test_a_model_of_any_size_works_as_its_error_advises(invoke: Invoke, theirs: Path) -> None:
    model = onnx.load(theirs / "bare.onnx")
    for axis, name in ((1, "h"), (2, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    onnx.save(model, theirs / "free.onnx")
    (theirs / "labels.txt").write_text("disc\nsquare\n")

    refused = invoke("clf-run", "free.onnx", "-s", "photos", "-o", "free.csv", "--classes", "labels.txt")
    advised = re.search(r"add (--imgsz) 224$", refused.stderr, re.MULTILINE)
    assert advised, refused.stderr

    done = invoke("clf-run", "free.onnx", "-s", "photos", "-o", "free.csv", "--classes", "labels.txt", advised[1], "64x48")
    assert done.exit_code == 0, done.stderr
