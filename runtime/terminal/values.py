"""How values are typed on a command line: shares, counts and devices, also as other tools write them."""

from edgeclf.runtime.errors import OptionError


def parse_share(flag: str, text: str, instead: str = "") -> float:
    """Read `"0.9"` or `"90%"`, given as `flag`, as a number from 0 to 1. instead: what else it takes. Raises OptionError.

    >>> parse_share("--conf", "0.9"), parse_share("--conf", "90%")
    (0.9, 0.9)
    """
    number = text.strip().removesuffix("%")
    try:
        share = float(number) if number == text.strip() else round(float(number) / 100, 12)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise OptionError(f"{flag} takes a number from 0 to 1, a percentage such as 90%{instead}, not {text!r}")
    return share


def parse_unknown(text: str) -> float:
    """The share of the known images that may be called unknown: `"off"` as 0. Raises OptionError."""
    return 0.0 if text == "off" else parse_share("--unknown", text, instead=" or off")


def parse_topk(text: str) -> int | None:
    """`"3"` as a number, `"all"` as None. Raises OptionError."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(f"--topk takes a number from 1, or all, not {text!r}")
    return int(text)


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
