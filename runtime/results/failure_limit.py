"""The limit that `--max-failures` sets."""

from dataclasses import dataclass

from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.terminal.plural import plural

_LEAST_IMAGES_FOR_A_SHARE = 100
"""A share of fewer images means little."""


@dataclass(frozen=True)
class MaxFailures:
    """How many images may fail: a count, or a share from 0 to 1, which is checked from 100 images on."""

    count: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "MaxFailures":
        """`"100"` or `"5%"`. Raises OptionError."""
        number = text.removesuffix("%")
        try:
            limit = cls(share=float(number) / 100) if number != text else cls(count=int(number))
        except ValueError:
            limit = cls(count=-1)
        if (limit.count or 0) < 0 or not 0 <= (limit.share or 0) <= 1:
            raise OptionError(f"--max-failures takes a number or a percentage, such as 100 or 5%, not {text!r}")
        return limit

    def check(self, failed: int, done: int) -> None:
        """Raise EdgeclfError if more images failed than allowed."""
        too_many = self.count is not None and failed > self.count
        too_large = self.share is not None and done >= _LEAST_IMAGES_FOR_A_SHARE and failed > self.share * done
        if too_many or too_large:
            limit = f"{self.count:,}" if self.count is not None else f"{100 * (self.share or 0):g}%"
            raise EdgeclfError(f"{failed:,} of {plural(done, 'image')} failed, and --max-failures allows {limit}; stopped")


NO_LIMIT = MaxFailures()
