"""Exit codes and reasons are a contract with scripts: this test fails when they change."""

import pytest

from edgeclf.runtime.errors import (
    DatasetError,
    DeviceError,
    EdgeclfError,
    ExitCode,
    GateError,
    ImageError,
    ModelError,
    OptionError,
    OutputError,
    Reason,
    SourceError,
)


def test_exit_codes_are_those_of_the_contract() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 130, 143]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (OptionError, 2),
        (SourceError, 2),
        (DatasetError, 2),
        (ModelError, 2),
        (OutputError, 2),
        (GateError, 3),
        (DeviceError, 4),
    ],
)
def test_every_error_has_its_exit_code(kind: type[EdgeclfError], code: int) -> None:
    assert kind("x").exit_code == code


def test_reasons_are_a_closed_list() -> None:
    assert set(Reason) == {
        "not_found",
        "not_a_file",
        "unreadable",
        "empty",
        "not_an_image",
        "unsupported",
        "truncated",
        "corrupt",
        "too_large",
        "lost",
    }


def test_image_error_shows_reason_and_detail() -> None:
    assert str(ImageError(Reason.EMPTY, "0 bytes")) == "empty: 0 bytes"
