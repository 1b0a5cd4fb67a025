"""Which libraries are imported when: help starts fast, and the runtime never imports a training library."""

from collections.abc import Callable
from pathlib import Path

import pytest

HEAVY = ("cv2", "numpy", "onnxruntime", "tensorflow", "ai_edge_litert", "rich.progress")
TRAINING = (
    "tensorflow",
    "keras",
    "onnx",
    "tf2onnx",
    "matplotlib",
    "sklearn",
    "torch",
    "PIL",
    "edgeclf.train",
    "edgeclf.export",
    "edgeclf.benchmarks",
)


@pytest.mark.parametrize("module", ["edgeclf.runtime", "edgeclf.runtime.cli.clf_run", "edgeclf.runtime.run_options"])
def test_importing_the_command_imports_nothing_heavy(module: str, fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])")

    assert printed == "[]\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(option: str, fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys; from edgeclf.runtime.cli.clf_run import main\n"
        f"sys.argv = ['clf-run', '{option}']\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {(*HEAVY, 'rich', 'pydantic')} if name in sys.modules])"
    )

    assert ("--source" in printed) == (option == "--help")
    assert printed.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("artefact", "other_engine"), [("model.onnx", "ai_edge_litert"), ("model.int8.tflite", "onnxruntime")]
)
def test_classifying_imports_one_engine_and_no_training_library(
    artefact: str, other_engine: str, run_folder: Path, image_folder: Path, fresh_python: Callable[..., str]
) -> None:
    printed = fresh_python(
        "import sys; from edgeclf.runtime import Classifier, classify, open_source\n"
        "outcomes = list(classify(open_source(sys.argv[2]), Classifier.open(sys.argv[1]), workers=2))\n"
        f"print(len(outcomes), [name for name in {(*TRAINING, other_engine)} if name in sys.modules])",
        run_folder / artefact,
        image_folder,
    )

    assert printed == "60 []\n"


def test_every_public_name_can_be_imported(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import edgeclf.runtime as runtime\nprint(all(getattr(runtime, name) for name in runtime.__all__))"
    )

    assert printed == "True\n"


def test_unknown_name_is_an_attribute_error() -> None:
    import edgeclf.runtime

    with pytest.raises(AttributeError, match="has no attribute 'Classifer'"):
        edgeclf.runtime.Classifer  # noqa: B018
