"""Signals that ask a run to stop are recorded, and change nothing where they cannot be received."""

import signal
import threading

import pytest

from edgeclf.runtime.terminal.console import Terminated
from edgeclf.runtime.terminal.signals import Interrupts


def test_the_first_signal_is_recorded_and_raised_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts.signal == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        interrupts.pass_on()


def test_another_thread_than_the_main_one_may_wait_for_signals_in_vain() -> None:
    recorded: list[int | None] = []

    def work() -> None:
        with Interrupts() as interrupts:
            recorded.append(interrupts.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert recorded == [None]


def test_a_signal_that_a_library_swallows_is_raised_again() -> None:
    with Interrupts(at_once=True) as interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated):
            interrupts.pass_on()
