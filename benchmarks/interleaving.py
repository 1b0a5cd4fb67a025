"""The order of measurements: every item once in each round, so that a busy moment of the machine affects all of them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def interleaved_rounds(items: Sequence[_Item], rounds: int) -> Iterator[tuple[_Item, ...]]:
    """Yield the items once per round. Each round starts one item later, so that no item always follows the same one.

    >>> list(interleaved_rounds("abc", 2))
    [('a', 'b', 'c'), ('b', 'c', 'a')]
    """
    for number in range(rounds):
        first = number % len(items)
        yield (*items[first:], *items[:first])
