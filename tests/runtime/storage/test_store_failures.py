"""Failures of object stores: each kind is recognised by its exception or its message, and no secret is repeated."""

import errno

import pytest

from edgeclf.runtime.storage.store_failures import failure_of

MESSAGES = {
    "AWS Error INVALID_ACCESS_KEY_ID during HeadObject operation": ("(INVALID_ACCESS_KEY_ID)", errno.EIO),
    "AWS Error UNKNOWN (HTTP status 400) during HeadObject operation": ("access is denied", errno.EIO),
    "AWS Error NETWORK_CONNECTION during ListObjectsV2 operation": ("cannot be reached", errno.EIO),
    "AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation": ("no bucket 'bucket'", errno.EIO),
    "something else": ("something else", errno.EIO),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.items(), ids=list(MESSAGES))
def test_failure_is_recognised_by_its_message(message: str, expected: tuple[str, int]) -> None:
    keyword, number = expected
    detail, found = failure_of(OSError(message), "s3://bucket/photos")
    assert keyword in detail
    assert found == number


@pytest.mark.parametrize(
    ("error", "keyword", "number"),
    [
        (FileNotFoundError("a.jpg"), "no such file", errno.ENOENT),
        (NotADirectoryError("a.jpg"), "no such file", errno.ENOENT),
        (PermissionError("a.jpg"), "access is denied", errno.EIO),
        (TimeoutError("late"), "cannot be reached", errno.EIO),
        (ModuleNotFoundError("no gcsfs", name="gcsfs.core"), "pip install gcsfs", errno.EIO),
        (ValueError("a//b is not a path"), "a//b is not a path", errno.EINVAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_failure_is_recognised_by_its_type(error: Exception, keyword: str, number: int) -> None:
    detail, found = failure_of(error, "gs://bucket/photos")
    assert keyword in detail
    assert found == number


def test_denied_access_names_where_the_credentials_come_from() -> None:
    assert "GOOGLE_APPLICATION_CREDENTIALS" in failure_of(PermissionError(), "gs://bucket")[0]
    assert "AZURE_CLIENT_ID" in failure_of(PermissionError(), "abfs://bucket@account")[0]
    assert "AWS_ACCESS_KEY_ID" in failure_of(PermissionError(), "S3://bucket")[0]


def test_options_are_not_repeated() -> None:
    assert "hush" not in failure_of(OSError("cannot open s3://bucket/a?token=hush now"), "s3://bucket")[0]


def test_a_missing_fsspec_is_left_to_the_caller() -> None:
    with pytest.raises(ModuleNotFoundError):
        failure_of(ModuleNotFoundError("no fsspec", name="fsspec"), "sftp://host/a")
