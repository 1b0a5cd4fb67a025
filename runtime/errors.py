"""What can go wrong, sorted by what follows from it: an exit code for a command, a reason for an image."""

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What every command's exit status means."""

    OK = 0
    SOME_INPUTS_FAILED = 1
    FAILED = 2
    GATE_MISSED = 3
    DEVICE_UNAVAILABLE = 4
    INTERRUPTED = 130
    TERMINATED = 143


class EdgeclfError(Exception):
    """Something the user can put right; the message is one sentence with the value and the next step."""

    exit_code = ExitCode.FAILED


class OptionError(EdgeclfError):
    """An option with a value that cannot be used."""


class SourceError(EdgeclfError):
    """Images that were asked for and are not there."""


class NoImagesError(SourceError):
    """A source that is there and holds no image."""


class DatasetError(EdgeclfError):
    """A folder of labelled images that cannot be trained on."""


class ModelError(EdgeclfError):
    """A model file that cannot be used, or a model that gives no usable answer."""


class OutputError(EdgeclfError):
    """A result that cannot be written."""


class GateError(EdgeclfError):
    """An export that does not answer as the trained model does."""

    exit_code = ExitCode.GATE_MISSED


class DeviceError(EdgeclfError):
    """A device that was asked for by name and is not available."""

    exit_code = ExitCode.DEVICE_UNAVAILABLE


def first_line(error: BaseException) -> str:
    """What a library said, short enough to quote inside a sentence of our own."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


class Reason(StrEnum):
    """Why an image has no answer: the closed list that results, logs and training share."""

    NOT_FOUND = "not_found"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    LOST = "lost"
    """A camera that gives no image."""


class ImageError(Exception):
    """One image that cannot be used: a row in the result, never the end of a run."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)  # both of them, so that it can be pickled
        self.reason = reason
        self.detail = detail
        self.size_hw: tuple[int, int] | None = None
        """Height and width, where the header could be read."""
        self.errno: int | None = None
        """What the operating system said, where reading the file failed."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
