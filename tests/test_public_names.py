"""What `import edgeclf` gives: all names for users, at once, without waiting for a library."""

from collections.abc import Callable

import pytest

import edgeclf
import edgeclf.runtime


def test_the_import_is_instant(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys, edgeclf; edgeclf.__version__\n"
        "print(sorted({'numpy', 'cv2', 'typer', 'rich', 'tensorflow', 'edgeclf.train'} & set(sys.modules)))"
    )

    assert printed == "[]\n"


def test_the_names_are_those_of_the_runtime() -> None:
    assert sorted(edgeclf.__all__) == sorted(edgeclf.runtime.__all__)
    assert [name for name in edgeclf.__all__ if getattr(edgeclf, name) is not getattr(edgeclf.runtime, name)] == []


def test_packages_are_attributes_without_an_import_of_their_own(fresh_python: Callable[..., str]) -> None:
    assert (
        fresh_python("import edgeclf; print(edgeclf.train.__name__, edgeclf.export.__name__)")
        == "edgeclf.train edgeclf.export\n"
    )


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Classifer'"):
        edgeclf.Classifer  # noqa: B018
