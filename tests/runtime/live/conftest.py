"""Shared by the tests of live runs."""

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """`until(lambda: ...)` waits until it is true, and fails after a minute."""

    def wait(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, "not true within a minute"
            time.sleep(0.01)

    return wait
