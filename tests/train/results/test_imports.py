"""A page or a figure can be made, and an exported model evaluated, without the libraries of training."""

from collections.abc import Callable

SCRIPT = """
import sys
from importlib import import_module
for module, heavy in (
    ("html_page", {"matplotlib", "numpy", "sklearn", "scipy", "tensorflow", "keras"}),
    ("drawing", {"sklearn", "scipy", "tensorflow", "keras"}),
    ("evaluation", {"tensorflow", "keras"}),
):
    import_module(f"edgeclf.train.results.{module}")
    print(module, heavy & set(sys.modules))
"""


def test_no_module_imports_a_library_that_it_does_not_need(fresh_python: Callable[..., str]) -> None:
    assert fresh_python(SCRIPT) == "html_page set()\ndrawing set()\nevaluation set()\n"
