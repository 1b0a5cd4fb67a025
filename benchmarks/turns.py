"""Whose turn it is: all in each round, so that a busy moment of the machine meets all of them alike."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def turns(items: Sequence[_Item], rounds: int) -> Iterator[tuple[_Item, ...]]:
    """The items, round by round; each round begins with another one, so that none always follows the same one.

    >>> list(turns("abc", 2))
    [('a', 'b', 'c'), ('b', 'c', 'a')]
    """
    for number in range(rounds):
        first = number % len(items)
        yield (*items[first:], *items[:first])
