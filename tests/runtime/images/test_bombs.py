"""Small files that would take gigabytes or minutes to decode are refused at little cost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime import ImageError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.formats.gif import count_clears
from edgeclf.runtime.images.formats.header import Header
from tests.support.bombs import BOMBS, HARMLESS, LARGE, MEGABYTE, gif, repeated_codes, webp_animation
from tests.support.encodings import animated, noisy, pillow

CPU_S = 20
"""For all of them together; without limits, a single one takes longer."""
PEAK_KB = 200_000
DECODE = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
from edgeclf.runtime import ImageError, Preprocess

def peak_kb():
    with open("/proc/self/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM")))

preprocess = Preprocess((224, 224))
start = peak_kb()
for path in sys.argv[1:]:
    try:
        preprocess(path)
        outcome = "ok"
    except ImageError as error:
        outcome = error.reason
    print(path, outcome, peak_kb() - start, flush=True)
"""
"""Prints the path, the outcome, and by how many KB the process has grown so far."""

Outcomes = dict[str, tuple[int, str, int]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """By name: bytes, outcome, and by how many KB the process had grown by then. A file that ended it is missing."""
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / name for name in (*BOMBS, *HARMLESS)]
    for path in paths:
        path.write_bytes({**BOMBS, **HARMLESS}[path.name]())
    line = [sys.executable, "-c", DECODE, *map(str, paths)]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    rows = [row.split() for row in done.stdout.splitlines()]
    return {Path(path).name: (os.path.getsize(path), outcome, int(grown_kb)) for path, outcome, grown_kb in rows}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_at_little_cost(name: str, outcomes: Outcomes) -> None:
    size_bytes, outcome, grown_kb = outcomes[name]

    assert size_bytes <= MEGABYTE
    assert outcome != "ok"
    assert grown_kb < PEAK_KB


@pytest.mark.parametrize("name", HARMLESS)
def test_file_that_only_looks_like_a_bomb_costs_little(name: str, outcomes: Outcomes) -> None:
    size_bytes, _, grown_kb = outcomes[name]

    assert size_bytes <= MEGABYTE
    assert grown_kb < PEAK_KB


def test_refusal_names_the_cost_and_the_limit() -> None:
    with pytest.raises(ImageError, match=r"10000 x 10000 .* 1,000 megapixels; the limit is 100"):
        Checks().header_of(gif(LARGE, LARGE))


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (gif(LARGE, LARGE), Header("GIF", LARGE, LARGE)),
        (webp_animation(LARGE, LARGE), Header("WebP", LARGE, LARGE)),
    ],
    ids=["gif", "webp"],
)
def test_higher_limit_allows_a_higher_cost(data: bytes, header: Header) -> None:
    assert Checks(max_pixels=1_100_000_000).header_of(data) == header


@pytest.mark.parametrize("block", [b"!\xfe\0", b"!\xfe\1x\0"], ids=["empty", "of-one-byte"])
def test_gif_with_endless_blocks_is_refused(block: bytes) -> None:
    small = gif(8, 8)

    with pytest.raises(ImageError, match="more than 1,048,576 sub-blocks"):
        Checks().header_of(small[:19] + block * 1_100_000 + small[19:])


def test_page_of_text_scanned_in_high_resolution_is_not_refused() -> None:
    letters = np.random.default_rng(0).integers(0, 2, (480, 300), dtype=np.uint8) * 255
    page = np.kron(np.pad(letters, 50), np.ones((12, 12), np.uint8))  # strokes 12 dots wide, and empty margins
    data = pillow(page, "PNG", "1")

    assert page.size > 30_000_000
    assert len(data) < 60_000
    assert Checks().header_of(data).format == "PNG"


@pytest.mark.parametrize("format_name", ["GIF", "WEBP"])
def test_animation_of_ordinary_size_is_not_refused(format_name: str) -> None:
    data = animated(np.zeros((1_500, 1_500, 3), np.uint8), format_name)

    assert Checks().header_of(data).width == 1_500


@pytest.mark.parametrize("side", [1_000, 100, 1])
def test_progressive_jpeg_costs_no_more_than_a_plain_one(side: int) -> None:
    limit = side * side

    assert Checks(limit).header_of(pillow(noisy(side=side), "JPEG", progressive=True)).width == side


def test_clear_codes_are_counted_where_each_follows_two_others() -> None:
    assert count_clears(repeated_codes([256, 1, 2], 9, 27 * 100), 8, at_most=10_000) == 800


def test_count_of_clear_codes_stops_at_the_limit() -> None:
    assert count_clears(repeated_codes([4], 3, 9_000), 2, at_most=50) == 50


@pytest.mark.parametrize("colours", [4, 16, 256])
def test_clear_codes_of_a_real_image_are_counted_as_a_decoder_meets_them(colours: int) -> None:
    data = pillow(noisy(side=180), "GIF", "P", colors=colours)
    code_size, packed = _packed(data)

    assert count_clears(packed, code_size, at_most=10_000) == _count_code_by_code(packed, code_size) > 1


def _packed(data: bytes) -> tuple[int, bytes]:
    """Code size and LZW data of the only frame."""
    at = data.index(b"\x2c\0\0\0\0") + 10
    at += 6 << (data[at - 1] & 7) if data[at - 1] & 0x80 else 0
    code_size, packed, at = data[at], b"", at + 1
    while data[at]:
        packed += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return code_size, packed


def _count_code_by_code(packed: bytes, code_size: int) -> int:
    """As the specification describes it."""
    number = int.from_bytes(packed, "little")
    clear, found, entries, length, position = 1 << code_size, 0, 0, code_size + 1, 0
    while position + length <= 8 * len(packed):
        code = number >> position & (1 << length) - 1
        position += length
        if code in (clear, clear + 1):
            found, entries, length = found + 1, clear + 2, code_size + 1
            first = True
            continue
        entries += not first
        first = False
        length = min(12, max(length, entries.bit_length()))
    return found
