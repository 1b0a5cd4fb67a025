"""Lets a package be called like a function: `edgeclf.train("photos/")`, although `edgeclf.train.run` is a module in it."""

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(package: str) -> None:
    """A call of the package `edgeclf.train` is one of `edgeclf.train.function.train`, which is imported for the first one.

    Its signature and its docstring are those of the function.
    """
    name = package.rpartition(".")[2]

    def function() -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(importlib.import_module(f"{package}.function"), name)
        return found

    class CallablePackage(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return function()(*arguments, **options)

        @property
        def __signature__(self) -> inspect.Signature:
            return inspect.signature(function())

        @property
        def __doc__(self) -> str | None:  # type: ignore[override]
            return function().__doc__

    sys.modules[package].__class__ = CallablePackage
