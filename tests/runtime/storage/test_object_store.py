"""Files below a URI and files below a local folder are listed, read and written in the same way."""

import errno
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeclf.runtime.cameras.network import is_address
from edgeclf.runtime.errors import EdgeclfError, OptionError, OutputError
from edgeclf.runtime.sources.folders import walk
from edgeclf.runtime.storage.files import StoredFile, StoreError
from edgeclf.runtime.storage.object_store import Store, is_uri, local_name
from tests.support.object_store import WRONG, ObjectStore

NAMES = ["b.jpg", "a/1.jpg", "a/deep/2.jpg", "a b%20c/2.jpg", "a.jpg", "[1].jpg", "what?.jpg", "a+b#c.jpg", "né.jpg"]
NAMES += ["z/.hidden", "z/a/1.jpg", "z/a b/1.jpg", "z/a.jpg"]


@pytest.fixture
def s3(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The server, with the settings for it in this process's environment."""
    for name, value in object_store.settings().items():
        monkeypatch.setenv(name, value)
    return object_store


@pytest.fixture
def bucket(s3: ObjectStore, request: pytest.FixtureRequest) -> str:
    """The URI of a bucket for this test alone, because open connections to a bucket keep their credentials."""
    return s3.make_bucket(f"bucket-{abs(hash(request.node.nodeid)):x}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "folder"


@pytest.mark.parametrize(
    "name",
    ["s3://bucket", "S3://bucket/a.jpg", "gs://b", "file:///a", "zip://::s3://b/a.zip", "new::s3://b", "abfs://c@a/b"],
)
def test_uris_are_recognised(name: str) -> None:
    assert is_uri(name)


@pytest.mark.parametrize(
    "name", ["photos/", "C:/a", "c://a", "webcam", "a::b", "@list.txt", "", "//host/a", "a b://c", "x.csv:c"]
)
def test_local_names_are_not_uris(name: str) -> None:
    assert not is_uri(name)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https", "tcp", "udp", "RTSP"])
def test_the_address_of_a_camera_is_not_a_store(scheme: str) -> None:
    assert is_address(f"{scheme}://10.0.0.7/live")
    assert not is_uri(f"{scheme}://10.0.0.7/live")
    assert not is_uri(f"{scheme}://[fe80::1]/live")


def test_a_file_uri_is_a_local_path() -> None:
    names = ["file:///a/b%20c.jpg", "FILE://localhost/a", "/a/b%20c", "s3://b/a%20b"]
    assert [local_name(name) for name in names] == ["/a/b c.jpg", "/a", "/a/b%20c", "s3://b/a%20b"]


@pytest.mark.parametrize("spelling", ["{}", "{}/", "file://{}", "local://{}"])
def test_a_local_folder_is_listed_in_the_order_of_a_walk(spelling: str, folder: Path) -> None:
    store = Store.open(spelling.format(folder))
    files = list(store.files())
    statuses = [os.stat(folder / file.path) for file in files]
    assert [str(folder / file.path) for file in files] == [path for path, _ in walk(str(folder))]
    assert [file.size_bytes for file in files] == [one.st_size for one in statuses]
    times = [one.st_mtime_ns for one in statuses]
    assert [file.mtime_ns for file in files] == pytest.approx(times, rel=0, abs=1000)  # fsspec gives seconds as a float
    assert [store.read(file.path).decode() for file in files] == [file.path for file in files]


def test_a_bucket_is_listed_in_the_order_of_a_walk(s3: ObjectStore, bucket: str, folder: Path) -> None:
    store = Store.open(s3.upload(folder, f"{bucket}/photos") + "/")
    assert store.uri == f"{bucket}/photos"
    assert [str(folder / file.path) for file in store.files()] == [path for path, _ in walk(str(folder))]
    assert [store.read(file.path).decode() for file in store.files()] == [file.path for file in store.files()]
    assert all(file.size_bytes == len(file.path.encode()) and file.mtime_ns > 10**18 for file in store.files())


def test_a_key_that_could_not_be_a_file_name_is_listed_too(s3: ObjectStore, bucket: str) -> None:
    for name in ("a.jpg", "/b.jpg", "c//d.jpg"):
        s3.put(f"{bucket}/photos/{name}", b"data")
    store = Store.open(f"{bucket}/photos")
    assert sorted(file.path for file in store.files()) == ["/b.jpg", "a.jpg", "c//d.jpg"]
    with pytest.raises(StoreError) as failure:
        store.read("c//d.jpg")
    assert failure.value.errno == errno.EINVAL


@pytest.mark.parametrize("kind", ["local", "s3", "fsspec"])
def test_written_files_can_be_found_read_and_removed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    name = {"local": str(tmp_path / "new"), "fsspec": f"local://{tmp_path}/new"}.get(kind)
    store = pickle.loads(pickle.dumps(Store.open(name or request.getfixturevalue("bucket") + "/new")))
    assert (list(store.files()), store.is_folder(), store.find("a/b"), store.read_if_exists("a/b")) == (
        [],
        False,
        None,
        None,
    )
    store.write("a/b", b"first")
    store.write("a/b", b"second")
    assert store.is_folder()
    found = store.find("a/b")
    assert found == StoredFile("a/b", 6, found.mtime_ns)
    assert (store.find("a"), store.read("a/b"), store.read("a/b", 3)) == (None, b"second", b"sec")
    assert [file.path for file in store.files()] == ["a/b"]
    assert Store.open(f"{store.uri}/a/b").read() == b"second"
    store.remove("a/b")
    store.remove("a/b")
    assert list(store.files()) == []


@pytest.mark.parametrize("scheme", ["", "local://"])
def test_a_full_disk_leaves_the_old_file_in_place(
    scheme: str, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    store = Store.open(f"{scheme}{tmp_path}")
    store.write("a", b"first")
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*/\.?a: "):
        store.write("a", bytes(2000))
    assert store.read("a") == b"first"
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {"a"}


def test_the_root_of_a_file_system_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    for name in ("/", "local:///"):
        store = Store.open(name)
        assert (store.is_folder(), store.read(str(tmp_path / "a")[1:])) == (True, b"data")


def test_another_process_can_use_a_pickled_store(bucket: str, fresh_python: Callable[..., str]) -> None:
    store = Store.open(bucket)
    store.write("a", b"data")
    script = "import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1])).read('a'))"
    assert fresh_python(script, pickle.dumps(store).hex()) == "b'data'\n"


def test_a_scheme_of_fsspec_alone_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.jpg", b"data")
        archive.writestr("b.jpg", b"more")
    store = Store.open(f"zip://::file://{tmp_path}/a.zip")
    assert store.is_folder()
    assert [(file.path, file.size_bytes) for file in store.files()] == [("b.jpg", 4), ("in/a.jpg", 4)]
    assert [store.read(file.path) for file in store.files()] == [b"more", b"data"]


def test_a_missing_file_is_distinguished_from_a_missing_bucket(bucket: str) -> None:
    with pytest.raises(StoreError, match=r"/a.jpg .*no such file") as failure:
        Store.open(bucket).read("a.jpg")
    assert failure.value.errno == errno.ENOENT
    nowhere = Store.open("s3://no-such-bucket-anywhere/photos")
    for ask in (nowhere.find, nowhere.read, lambda: nowhere.write("a", b"")):
        with pytest.raises(EdgeclfError, match="no bucket 'no-such-bucket-anywhere'") as missing:
            ask()
        assert getattr(missing.value, "errno", errno.EIO) == errno.EIO


def test_wrong_credentials_are_reported_with_where_they_come_from(
    s3: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.settings(WRONG).items():
        monkeypatch.setenv(name, value)
    store = Store.open(bucket)
    for ask in (store.is_folder, lambda: list(store.files()), lambda: store.read("a"), lambda: store.write("a", b"")):
        with pytest.raises(EdgeclfError, match=r"access is denied \(\w+\).*AWS_ACCESS_KEY_ID") as failure:
            ask()
        assert getattr(failure.value, "errno", errno.EIO) == errno.EIO
        assert "\n" not in str(failure.value)
        assert WRONG.secret not in str(failure.value)


@pytest.mark.parametrize(
    "uri",
    ["s3://key:hush/hush@bucket/a", "s3://bucket/a?secret_key=hush", "abfs://c@a/b?sas_token=hush", "sftp://me:hush@host"],
)
def test_credentials_in_a_uri_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(OptionError, match="credentials") as failure:
        Store.open(uri)
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize(
    "uri", ["abfs://container@account.dfs.core.windows.net/a", "hdfs://host:8020/me@work", "gs://anonymous@b"]
)
def test_an_at_sign_without_credentials_is_allowed(uri: str) -> None:
    assert Store.open(uri).uri == uri


def test_options_are_not_part_of_the_name(bucket: str) -> None:
    store = Store.open(f"{bucket}/photos/?region=eu-west-1&scheme=http")
    store.write("a", b"data")
    assert store.uri == f"{bucket}/photos"
    assert Store.open(f"{bucket}/photos/a").read() == b"data"


@pytest.mark.parametrize(
    ("uri", "keyword"),
    [
        ("dropbox://a/b", "pip install dropboxdrivefs"),
        ("s3:///b", "names no bucket"),
        ("s3://bucket/b?nonsense=1", "'nonsense'"),
    ],
)
def test_a_store_that_cannot_be_opened_is_an_error(uri: str, keyword: str) -> None:
    with pytest.raises(StoreError) as failure:
        Store.open(uri).is_folder()
    assert keyword in str(failure.value)
    assert str(failure.value).startswith(uri.partition("?")[0])


@pytest.mark.parametrize("scheme", ["nonsense", "rtsp", "https"])
def test_an_unknown_scheme_is_not_a_local_folder(scheme: str) -> None:
    assert not is_uri(f"{scheme}://a/b")
    with pytest.raises(StoreError, match=rf"{scheme}://\.\.\. .*unknown scheme") as failure:
        Store.open(f"{scheme}://me:hush@a/b")
    assert "hush" not in str(failure.value)


@pytest.mark.slow  # the libraries retry for 6 s and for 10 s
@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("s3://far-away", r"127.0.0.1:9 \(AWS_ENDPOINT_URL\)"),
        ("gs://anonymous@far-away?scheme=http&endpoint_override=127.0.0.1:9", "the store"),
    ],
)
def test_an_unreachable_store_is_reported_within_seconds(uri: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(StoreError, match=rf"{named} cannot be reached") as failure:
        Store.open(uri).is_folder()
    assert (failure.value.errno, "hush" in str(failure.value)) == (errno.EIO, False)
    assert time.monotonic() - began < 120


def test_without_pyarrow_the_missing_extra_is_named(tmp_path: Path, fresh_python: Callable[..., str]) -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from edgeclf.runtime.terminal.console import missing_extra\n"
        "from edgeclf.runtime.storage.object_store import Store\n"
        "Store.open(sys.argv[1]).write('a', b'local stores need no library')\n"
        "try: Store.open('s3://bucket').is_folder()\n"
        "except ImportError as error: print(missing_extra(error))\n"
    )
    printed = fresh_python(script, tmp_path)
    assert printed.startswith("this needs pyarrow, which is not installed: pip install 'edgeclf[")
    assert (tmp_path / "a").read_bytes() == b"local stores need no library"
