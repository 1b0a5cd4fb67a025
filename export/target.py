"""One kind of file that an export can make, and how the options choose among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeclf.export.int8 import Quantizer
from edgeclf.export.options import TargetOptions
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import advice


@dataclass(frozen=True)
class Target:
    """One kind of file: its format, its precision, and the end of its name.

    convert: from what the export works on (such as ExportContext) to the finished file, or for INT8 to the quantizer that
        can make it in several ways.
    optional: the other files are published even if this one fails. alternative: what to try instead of layers in float.
    trains: it is trained for its precision, on the training images.
    """

    format: str
    precision: str
    suffix: str
    convert: Callable[[Any], bytes | Quantizer]
    optional: bool = False
    alternative: str = ""
    trains: bool = False

    @property
    def calibrates(self) -> bool:
        """Whether it needs images to find the ranges of activations."""
        return self.precision in ("int8", "int16x8")


def choose(targets: Sequence[Target], defaults: Sequence[tuple[str, str]], options: TargetOptions) -> tuple[Target, ...]:
    """The existing combinations of the formats and precisions in the options; `defaults` if there are none.

    With `--all`, each is optional. Raises OptionError for a name that does not exist, and for one that no combination has.
    """
    if options.everything:
        return tuple(replace(target, optional=True) for target in targets)
    _check_names(options.formats, {target.format for target in targets})
    _check_names(options.precisions, {target.precision for target in targets})
    chosen = tuple(target for target in targets if _is_chosen(target, defaults, options))
    _check_made(options.precisions, {target.precision for target in chosen}, targets)
    _check_made(options.formats, {target.format for target in chosen}, targets)
    return chosen


def _is_chosen(target: Target, defaults: Sequence[tuple[str, str]], options: TargetOptions) -> bool:
    if options.formats and target.format not in options.formats:
        return False
    return target.precision in options.precisions if options.precisions else (target.format, target.precision) in defaults


def _check_names(names: tuple[str, ...], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise OptionError(f"cannot export {name!r}; {advice(name, sorted(known))}")


def _check_made(names: tuple[str, ...], made: set[str], targets: Sequence[Target]) -> None:
    for name in names:
        if name not in made:
            offers = "; ".join(_offer(name, targets) for name in dict.fromkeys(target.format for target in targets))
            raise OptionError(f"none of the requested files can be {name}: {offers}")


def _offer(name: str, targets: Sequence[Target]) -> str:
    return f"{name} comes in {', '.join(target.precision for target in targets if target.format == name)}"
