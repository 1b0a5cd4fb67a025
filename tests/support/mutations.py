"""An endless sequence of damaged images, the same ones each time.

`python -m tests.support.mutations FIRST LAST` decodes a range of them. It prints the number of each before decoding it, so
that the last number names the image that ended the process.
"""

import random
import sys
from collections.abc import Callable

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.images.decode import Checks
from tests.support.encodings import ENCODINGS, noisy

_EXTREMES = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD = 200
"""Most of a file's structure is in these first bytes."""


def mutated(number: int, seeds: list[bytes]) -> bytes:
    """One of the seeds after one to four mutations. The number determines the result."""
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_MUTATIONS)(data, rng, seeds)
    return bytes(data)


def _flip(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    at = _place(data, rng)
    data[at : at + rng.choice((1, 4, 16, 512))] = rng.choice((bytes(16), b"\xff" * 16, rng.randbytes(64)))


def _number(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    """May hit a size, a count or an offset."""
    width = rng.choice((1, 2, 4))
    value = rng.choice(_EXTREMES) & ((1 << 8 * width) - 1)
    at = _place(data, rng)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _cut(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    del data[_place(data, rng) + 1 :]


def _lose(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    at = _place(data, rng)
    del data[at + 1 : at + 1 + rng.choice((1, 2, 12, 300))]


def _repeat(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    at, length = _place(data, rng), rng.choice((2, 12, 100, 1000))
    data[at:at] = data[at : at + length] * rng.choice((1, 2, 20))


def _swap(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    first, second = _place(data, rng), _place(data, rng)
    data[first : first + 12], data[second : second + 12] = data[second : second + 12], data[first : first + 12]


def _splice(data: bytearray, rng: random.Random, seeds: list[bytes]) -> None:
    other = rng.choice(seeds)
    data[_place(data, rng) :] = other[rng.randrange(len(other)) :]


_MUTATIONS: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    _flip,
    _overwrite,
    _number,
    _number,
    _cut,
    _lose,
    _repeat,
    _swap,
    _splice,
)


def _place(data: bytearray, rng: random.Random) -> int:
    if not data:
        data.append(0)
    return rng.randrange(min(len(data), _HEAD) if rng.random() < 0.4 else len(data))


def main() -> None:
    seeds = [encode(noisy(side=48)) for encode in ENCODINGS.values()]
    preprocess, checks = Preprocess((32, 32)), (Checks(), Checks(strict=True))
    decoded = 0
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        try:
            decoded += preprocess.prepare(mutated(number, seeds), checks[number % 2]).pixels.shape == (32, 32, 3)
        except ImageError:
            continue
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    sys.stdout.write(f"decoded {decoded} peak {peak}\n")


if __name__ == "__main__":
    main()
