"""Completion of every command, as bash, zsh and fish ask for it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.scripts import SCRIPTS, app_of

KEPT_MODEL = Path(__file__).parent / "support" / "kept_run" / "model.onnx"
BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="there is no bash")


def offered(line: str, shell: str = "bash") -> list[str]:
    """What the command offers for the last word of the line, in this process."""
    words = [shlex.split(word)[0] if word else "" for word in line.split(" ")]
    name = words[0]
    asked = {
        f"_{name.replace('-', '_').upper()}_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = CliRunner().invoke(app_of(name), [], prog_name=name, env=asked)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def offered_by_bash(*lines: str, folder: Path) -> list[list[str]]:
    """What a real bash has in COMPREPLY for the last word of each line, after sourcing the script that the command shows."""
    script = [f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"]
    for line in lines:
        words = line.split(" ")
        script += [
            f"source <({words[0]} --show-completion bash)",
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1} COMPREPLY=()",
            f'"$(complete -p {words[0]} | sed "s/.*-F \\([^ ]*\\) .*/\\1/")" {words[0]}',
            'printf "%s\\t" "${COMPREPLY[@]}"; echo',
        ]
    done = subprocess.run(
        [BASH or "bash", "--norc", "-c", "\n".join(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return [line.split("\t")[:-1] for line in done.stdout.splitlines()]


@needs_bash
def test_bash_completes_options_and_networks_without_the_name_of_the_default_command(tmp_path: Path) -> None:
    sources, networks = offered_by_bash("clf-run --sou", "clf-train --model mob", folder=tmp_path)
    assert "--source" in sources
    assert networks == ["mobilenet", "mobilenetv2", "mobilenetv3large", "mobilenetv3small"]


@needs_bash
@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("clf-train evaluate --spl", ["--split"]),
        ("clf-export --format ", ["onnx", "tflite"]),
        ("clf-run --device = cu", ["cuda"]),
        ("clf-bench --device cpu,t", ["cpu,tensorrt"]),
        ("clf-check --verify ", ["quick", "strict"]),
        ("clf-inspect --j", ["--json"]),
        ("clf-demo --o", ["--output"]),
    ],
)
def test_bash_completes_every_command(line: str, expected: list[str], tmp_path: Path) -> None:
    assert offered_by_bash(line, folder=tmp_path) == [expected]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_command_shows_a_script_for_every_shell(name: str, shell: str) -> None:
    done = CliRunner().invoke(app_of(name), ["--show-completion", shell], prog_name=name)
    assert done.exit_code == 0
    assert f"_{name.replace('-', '_').upper()}_COMPLETE=complete_{shell}" in done.stdout


@pytest.mark.parametrize("name", ["clf-run", "clf-demo"])
def test_completion_is_installed_for_the_named_shell(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = CliRunner().invoke(app_of(name), ["--install-completion", "fish"], prog_name=name)
    assert done.exit_code == 0
    assert name in (tmp_path / ".config" / "fish" / "completions" / f"{name}.fish").read_text()


@pytest.mark.parametrize("name", ["clf-run", "clf-demo"])
def test_an_unknown_shell_is_a_mistake(name: str) -> None:
    done = CliRunner().invoke(app_of(name), ["--show-completion", "zhs"], prog_name=name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "did you mean zsh?" in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("clf-train --recipe ", "boolean intro dogs-vs-cats homer-bart elephants-cars"),
        ("clf-train --fit ", "stretch crop pad"),
        ("clf-train -m vgg", "vgg16 vgg19"),
        ("clf-run --resize pillow-b", "pillow-bilinear pillow-bicubic pillow-box"),
        ("clf-run --device ", "auto cpu cuda tensorrt"),
        ("clf-run m.onnx --sort ", "copy move link plan"),
        ("clf-train evaluate m.onnx photos --split t", "train test"),
        ("clf-export --quantize fp32,int", "fp32,int8 fp32,int16x8"),
        ("clf-export --from te", "teachable-machine"),
        ("clf-run --topk a", "all"),
        ("clf-run --show-", "--show-completion"),
        ("clf-run --conf 0", ""),
    ],
)
def test_choices_are_offered(line: str, expected: str) -> None:
    assert offered(line) == expected.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    text = "\n".join(offered("clf-train --fit ", shell))
    assert all(choice in text for choice in ("stretch", "crop", "pad"))


def test_the_first_word_may_be_a_sub_command_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("evening photos", "beach"):
        (tmp_path / name).mkdir()
    assert offered("clf-train ") == ["evaluate", "beach/", r"evening\ photos/"]
    assert offered("clf-train ev") == ["evaluate", r"evening\ photos/"]
    assert offered("clf-train beach ev") == []


def test_the_classes_of_the_named_model_are_offered_as_labels(tmp_path: Path) -> None:
    model = shutil.copy(KEPT_MODEL, tmp_path)
    assert offered(f"clf-run {model} -s webcam --on-label ") == ["disc:", "square:", "unsure:", "unknown:"]
    assert offered(f"clf-run {model} -s webcam --on-label s") == ["square:"]
    assert offered(f"clf-run {tmp_path}/absent.onnx --on-label ") == ["unsure:", "unknown:"]


def test_weights_may_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.weights.h5").touch()
    assert offered("clf-train --weights ") == ["imagenet", "none", "mine.weights.h5"]


@pytest.mark.parametrize("line", ["clf-run --sou", "clf-train --model mob"])
def test_completion_imports_nothing_heavy(line: str, fresh_python: Callable[..., str]) -> None:
    name, *words = line.split()
    script = f"""
import os, sys
from edgeclf.{"runtime" if name == "clf-run" else "train"}.cli.{name.replace("-", "_")} import app
sys.argv = [{name!r}]
os.environ |= {{"_{name.replace("-", "_").upper()}_COMPLETE": "complete_bash", "COMP_WORDS": {chr(10).join(line.split())!r},
                "COMP_CWORD": "{len(words)}"}}
try:
    app()
except SystemExit:
    print([module for module in ("numpy", "cv2", "rich", "tensorflow", "keras") if module in sys.modules])
"""
    assert fresh_python(script).splitlines()[-1] == "[]"
    assert os.environ.get("COMP_WORDS") is None
