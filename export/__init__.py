"""Export. The package can be called, too: see `function.py`."""

from edgeclf.runtime.callable_package import make_callable

make_callable(__name__)
