"""Old PyTorch files, written byte by byte as PyTorch did: what is read, and what is refused."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.train.networks.torch_file import MAGIC_NUMBER, PROTOCOL_VERSION, read_torch_file

NUMBERS = np.arange(6, dtype=np.float32)


def value(thing: object) -> bytes:
    """The pickle of a plain value, for use inside another pickle."""
    return pickle.dumps(thing, 2)[2:-1]


def tensor(
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    offset: int = 0,
    key: str = "1",
    storage: bytes = b"ctorch\nFloatStorage\n",
) -> bytes:
    description = b"(" + value("storage") + storage + value(key) + value("cpu") + value(6) + b"NtQ"
    arguments = description + value(offset) + value(shape) + value(strides) + value(False)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"ccollections\nOrderedDict\n)RtR"


def torch_bytes(
    tensors: dict[str, bytes],
    storages: dict[str, NDArray[np.generic]],
    magic: object = MAGIC_NUMBER,
    version: object = PROTOCOL_VERSION,
    little_endian: bool = True,
) -> bytes:
    head = [pickle.dumps(thing, 2) for thing in (magic, version, {"little_endian": little_endian})]
    named = b"ccollections\nOrderedDict\n)R(" + b"".join(value(name) + pickled for name, pickled in tensors.items())
    numbers = [len(storage).to_bytes(8, "little") + storage.tobytes() for storage in storages.values()]
    return b"".join([*head, b"\x80\x02" + named + b"u.", pickle.dumps(list(storages), 2), *numbers])


def read(folder: Path, data: bytes) -> dict[str, NDArray[np.float32]]:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_torch_file(path, hashlib.sha256(data).hexdigest())


WHOLE = torch_bytes({"a": tensor()}, {"1": NUMBERS})


@pytest.mark.parametrize(
    ("pickled", "expected"),
    [
        (tensor(), [[0, 1, 2], [3, 4, 5]]),
        (tensor((3, 2), (1, 3)), [[0, 3], [1, 4], [2, 5]]),
        (tensor((2, 2), (2, 1), offset=2), [[2, 3], [4, 5]]),
        (tensor((), (), offset=4), 4),
    ],
    ids=["contiguous", "transposed", "partial", "scalar"],
)
def test_tensors_are_read_with_offset_and_strides(tmp_path: Path, pickled: bytes, expected: object) -> None:
    array = read(tmp_path, torch_bytes({"a": pickled}, {"1": NUMBERS}))["a"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.array(expected))


def test_every_tensor_is_read_from_its_own_storage(tmp_path: Path) -> None:
    tensors = {"a": tensor(key="1"), "b": tensor(key="2"), "c": tensor((1,), (1,), 5, key="1")}
    arrays = read(tmp_path, torch_bytes(tensors, {"2": NUMBERS + 10, "1": NUMBERS}))
    assert {name: float(array.max()) for name, array in arrays.items()} == {"a": 5, "b": 15, "c": 5}


def test_counters_are_left_out(tmp_path: Path) -> None:
    counter = tensor((), (), key="2", storage=b"ctorch\nLongStorage\n")
    data = torch_bytes({"a": tensor(), "num_batches_tracked": counter}, {"2": np.array([7]), "1": NUMBERS})
    assert list(read(tmp_path, data)) == ["a"]


def test_another_digest_is_refused_before_anything_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"cos\nsystem\n(" + value(f"touch {tmp_path / 'ran'}") + b"tR.")
    with pytest.raises(ModelError, match=r"weights\.pth .*SHA-256 is [0-9a-f]{64}, not 00"):
        read_torch_file(path, "00")
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.parametrize("program", ["os system", "posix system", "subprocess call", "builtins exec", "builtins eval"])
def test_a_pickle_that_names_a_program_is_refused_and_runs_nothing(tmp_path: Path, program: str) -> None:
    module, name = program.split()
    hostile = f"c{module}\n{name}\n(".encode() + value(f"touch {tmp_path / 'ran'}") + b"tR"
    with pytest.raises(ModelError, match=rf"weights\.pth is damaged.*{module}\.{name} is not allowed"):
        read(tmp_path, torch_bytes({"a": tensor(storage=hostile)}, {"1": NUMBERS}))
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.parametrize("left", [0, 1, 20, 60, 150, len(WHOLE) - 25, len(WHOLE) - 24, len(WHOLE) - 8, len(WHOLE) - 1])
def test_a_truncated_file_is_refused(tmp_path: Path, left: int) -> None:
    with pytest.raises(ModelError, match=r"weights\.pth is damaged"):
        read(tmp_path, WHOLE[:left])


@pytest.mark.parametrize(
    "pickled",
    [
        tensor((2, 4), (3, 1)),
        tensor((2, 3), (4, 1)),
        tensor(offset=1),
        tensor(offset=-1),
        tensor((2, 3), (-3, 1), offset=3),
        tensor((-2, 3)),
        tensor((10**9, 10**9), (0, 0)),
        tensor((2, 3, 1)),
        tensor(key="2"),
        tensor(storage=b"ctorch\nHalfStorage\n"),
        tensor(storage=value(7)),
        value("no tensor"),
    ],
    ids=[
        "too wide",
        "too far apart",
        "too late",
        "before the start",
        "backwards",
        "a negative side",
        "grown from one number",
        "sides without strides",
        "no such storage",
        "an unknown type",
        "no type",
        "text",
    ],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(tmp_path: Path, pickled: bytes) -> None:
    with pytest.raises(ModelError, match=r"weights\.pth is damaged"):
        read(tmp_path, torch_bytes({"a": pickled}, {"1": NUMBERS}))


@pytest.mark.parametrize("length", [7, 2**40, 2**62, 2**63, 2**64 - 1])
def test_a_storage_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path, length: int) -> None:
    data = WHOLE[: -NUMBERS.nbytes - 8] + length.to_bytes(8, "little") + NUMBERS.tobytes()
    with pytest.raises(ModelError, match=r"weights\.pth is damaged"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    "head", [{"magic": 1}, {"version": 1002}, {"little_endian": False}], ids=["magic number", "version", "byte order"]
)
def test_another_format_is_refused(tmp_path: Path, head: dict[str, int]) -> None:
    with pytest.raises(ModelError, match=r"magic number .* protocol version .* little-endian"):
        read(tmp_path, torch_bytes({"a": tensor()}, {"1": NUMBERS}, **head))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(100), b"\x89PNG\r\n", b"\n" * 100], ids=["zip", "png", "blank"])
def test_a_file_that_is_not_from_pytorch_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match=r"^.*weights\.pth is damaged, or not a file of PyTorch tensors .*$"):
        read(tmp_path, data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.pth cannot be read \(No such file or directory\)"):
        read_torch_file(tmp_path / "none.pth", "")
