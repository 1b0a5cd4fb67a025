"""What went wrong in an object store, in one sentence that says what to do next.

The libraries raise general exceptions for most failures, so their messages are matched as well.
"""

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgeclf.runtime.errors import first_line

_ACCESS_DENIED = re.compile(
    r"ACCESS_?DENIED|INVALID_?ACCESS_?KEY|SIGNATURE_?DOES_?NOT_?MATCH|EXPIRED|INVALID_?(CLIENT_?)?TOKEN|CREDENTIAL"
    r"|PERMISSION_DENIED|AUTHENTICAT|FORBIDDEN|UNAUTHORIZED|HTTP status 40[013]\b",
    re.IGNORECASE,
)
"""S3 answers 400 for an expired token if only headers were requested, because such an answer has no room for words."""
_UNREACHABLE = re.compile(r"NETWORK_CONNECTION|curlCode|connect to|resolve host|timed? ?out", re.IGNORECASE)
_NO_BUCKET = re.compile(r"NO_?SUCH_?BUCKET|Bucket '.*' not found", re.IGNORECASE)

_AWS_ERROR_CODE = re.compile(r"AWS Error (?:UNKNOWN \()?(\w+(?: status \d+)?)")
_AMAZON = "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, then ~/.aws with AWS_PROFILE, then the machine's role"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS, then `gcloud auth application-default login`, then the machine's role"
_AZURE = "AZURE_CLIENT_ID with AZURE_TENANT_ID and AZURE_CLIENT_SECRET, then the machine's identity, then `az login`"
_CREDENTIAL_SOURCES = {"s3": _AMAZON, "gs": _GOOGLE, "gcs": _GOOGLE, "abfs": _AZURE, "abfss": _AZURE}


@dataclass(frozen=True)
class _Failure:
    """A kind of failure, recognised by the type of the exception or by a pattern in its message.

    errno: of the StoreError. describe: from the exception and the URI to the second half of the error message.
    """

    types: tuple[type[Exception], ...]
    pattern: re.Pattern[str] | None
    errno: int
    describe: Callable[[Exception, str], str]

    def matches(self, error: Exception) -> bool:
        return isinstance(error, self.types) or (self.pattern is not None and self.pattern.search(str(error)) is not None)


def failure_of(error: Exception, uri: str) -> tuple[str, int]:
    """The second half of an error message, and the errno of the StoreError. Raises ModuleNotFoundError for fsspec."""
    if isinstance(error, ModuleNotFoundError) and error.name == "fsspec":
        raise error
    for failure in _FAILURES:
        if failure.matches(error):
            return failure.describe(error, uri), failure.errno
    number = errno.EINVAL if isinstance(error, ValueError) else errno.EIO
    message = re.sub(r"\?\S+", "?...", first_line(error))  # options may hold secrets
    return f"{message}; check the spelling, and the store's settings", number


def missing_bucket(bucket: str) -> str:
    """The second half of the error message for a bucket that does not exist."""
    return f"there is no bucket {bucket!r}; check the spelling, the endpoint and the region"


def _missing_package(error: Exception, uri: str) -> str:
    package = (getattr(error.__cause__ or error, "name", None) or "").partition(".")[0] or first_line(error)
    return f"{_scheme(uri)}:// needs a package that is not installed: pip install {package}"


def _missing_bucket_of(error: Exception, uri: str) -> str:
    return missing_bucket(urlsplit(uri).netloc)


def _missing_file(error: Exception, uri: str) -> str:
    return "there is no such file; check the spelling"


def _access_denied(error: Exception, uri: str) -> str:
    code = _AWS_ERROR_CODE.search(str(error))
    scheme = _scheme(uri)
    sources = f"; they are taken from {_CREDENTIAL_SOURCES[scheme]}" if scheme in _CREDENTIAL_SOURCES else ""
    why = f" ({code[1]})" if code else ""
    return f"access is denied{why}; check the credentials, their expiry and their permissions{sources}"


def _unreachable(error: Exception, uri: str) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") if _scheme(uri) == "s3" else None
    store = f"{urlsplit(endpoint).netloc.rpartition('@')[2]} (AWS_ENDPOINT_URL)" if endpoint else "the store"
    return f"{store} cannot be reached; check the network and the address"


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].lower()


_FAILURES = (
    _Failure((ImportError,), None, errno.EIO, _missing_package),
    _Failure((), _NO_BUCKET, errno.EIO, _missing_bucket_of),
    _Failure((FileNotFoundError, NotADirectoryError), None, errno.ENOENT, _missing_file),
    _Failure((PermissionError,), _ACCESS_DENIED, errno.EIO, _access_denied),
    _Failure((ConnectionError, TimeoutError), _UNREACHABLE, errno.EIO, _unreachable),
)
"""The first match counts."""
