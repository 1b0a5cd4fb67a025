"""Errors: an exit code for a command, a reason for an image."""

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    SOME_INPUTS_FAILED = 1
    FAILED = 2
    GATE_MISSED = 3
    DEVICE_UNAVAILABLE = 4
    INTERRUPTED = 130
    TERMINATED = 143


class EdgeclfError(Exception):
    """An error that the user can fix. The message is one sentence with the value and the next step."""

    exit_code = ExitCode.FAILED


class OptionError(EdgeclfError):
    """An option has a value that cannot be used."""


class SourceError(EdgeclfError):
    """A source does not exist or cannot be read."""


class NoImagesError(SourceError):
    """A source exists but holds no image."""


class DatasetError(EdgeclfError):
    """A folder of labelled images cannot be used for training."""


class ModelError(EdgeclfError):
    """A model file cannot be used, or a model gives no usable answer."""


class OutputError(EdgeclfError):
    """A result cannot be written."""


class GateError(EdgeclfError):
    """An export does not answer as the trained model does."""

    exit_code = ExitCode.GATE_MISSED


class DeviceError(EdgeclfError):
    """A device was requested by name and is not available."""

    exit_code = ExitCode.DEVICE_UNAVAILABLE


def first_line(error: BaseException) -> str:
    """The start of a library's message, short enough to quote in a sentence: at most 200 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


class Reason(StrEnum):
    """Why an image has no answer. Results, logs and training share this closed list."""

    NOT_FOUND = "not_found"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported"
    """A sound image of a kind that is not read, such as HEIC."""
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    LOST = "lost"
    """A camera sends no frames."""


class ImageError(Exception):
    """One image cannot be used. It becomes a row in the result and never ends a run."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)  # both arguments, otherwise it cannot be unpickled
        self.reason = reason
        self.detail = detail
        self.size_hw: tuple[int, int] | None = None
        """Height and width; None if the header could not be read."""
        self.errno: int | None = None
        """The operating system's error number, if reading the file failed."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
