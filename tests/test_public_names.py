"""What `import edgeclf` gives: all names for users, at once, without waiting for a library."""

import inspect
from collections.abc import Callable

import pytest

import edgeclf
import edgeclf.runtime
from edgeclf.train.options import TrainOptions, flag_values


def test_the_import_is_instant(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys, edgeclf; edgeclf.__version__\n"
        "print(sorted({'numpy', 'cv2', 'typer', 'rich', 'tensorflow', 'edgeclf.train'} & set(sys.modules)))"
    )

    assert printed == "[]\n"


def test_the_names_are_those_of_the_runtime() -> None:
    assert sorted(edgeclf.__all__) == sorted(["train", "export", *edgeclf.runtime.__all__])
    assert [name for name in edgeclf.runtime.__all__ if getattr(edgeclf, name) is not getattr(edgeclf.runtime, name)] == []


def test_packages_are_attributes_without_an_import_of_their_own(fresh_python: Callable[..., str]) -> None:
    assert (
        fresh_python("import edgeclf; print(edgeclf.train.__name__, edgeclf.export.__name__)")
        == "edgeclf.train edgeclf.export\n"
    )


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Classifer'"):
        edgeclf.Classifer  # noqa: B018


def test_packages_can_be_called_as_their_functions_say(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import inspect, edgeclf, edgeclf.train.options, edgeclf.export.options\n"
        "for package in (edgeclf.train, edgeclf.export):\n"
        "    print(package.__name__, *list(inspect.signature(package).parameters)[:2], package.__doc__.split()[0])"
    )

    assert printed == "edgeclf.train data output Train\nedgeclf.export model output Export\n"


def test_the_options_of_a_training_are_those_of_the_command() -> None:
    options = set(inspect.signature(edgeclf.train).parameters)

    assert options - {"resume"} - {name for name, _ in flag_values(TrainOptions())} == set()


@pytest.mark.parametrize("call", [edgeclf.train, edgeclf.export], ids=["train", "export"])
def test_a_call_with_a_folder_that_does_not_exist_is_an_error_before_tensorflow(call: Callable[..., object]) -> None:
    with pytest.raises(edgeclf.EdgeclfError, match="does not exist"):
        call("nothing/")


@pytest.mark.parametrize(("missing", "use", "extra"), [("cv2", "Classifier", "cpu"), ("tensorflow", "train('.')", "train")])
def test_a_library_that_is_missing_is_named_with_its_cure(
    missing: str, use: str, extra: str, fresh_python: Callable[..., str]
) -> None:
    printed = fresh_python(
        "import importlib.util, sys, traceback, edgeclf\n"
        f"sys.modules[{missing!r}] = None\n"
        "importlib.util.find_spec = lambda name: None\n"
        f"try:\n    edgeclf.{use}\nexcept ImportError:\n    print(traceback.format_exc())"
    )

    assert f"pip install 'edgeclf[{extra}]'" in printed
