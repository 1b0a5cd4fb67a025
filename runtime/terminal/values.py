"""How values are typed on a command line: shares and devices, also as other tools write them."""

from edgeclf.runtime.errors import OptionError


def parse_share(flag: str, text: str) -> float:
    """Read `"0.9"` or `"90%"`, given as `flag`, as a number from 0 to 1. Raises OptionError.

    >>> parse_share("--conf", "0.9"), parse_share("--conf", "90%")
    (0.9, 0.9)
    """
    number = text.strip().removesuffix("%")
    try:
        share = float(number) if number == text.strip() else round(float(number) / 100, 12)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise OptionError(f"{flag} takes a number from 0 to 1, or a percentage such as 90%, not {text!r}")
    return share


def parse_device(text: str) -> str:
    """The name of a device; a bare number and `gpu` stand for CUDA.

    >>> parse_device("0"), parse_device("gpu"), parse_device("gpu:1"), parse_device("cpu")
    ('cuda:0', 'cuda', 'cuda:1', 'cpu')
    """
    name = text.strip().lower()
    if name.isdecimal():
        return f"cuda:{name}"
    kind, colon, number = name.partition(":")
    return f"cuda{colon}{number}" if kind == "gpu" else name
