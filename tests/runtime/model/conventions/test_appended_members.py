"""The files behind a TFLite file are read within limits, whatever the zip says."""

import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from edgeclf.runtime.model.conventions.appended_members import appended_text_members


def with_members(model: bytes, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    file.write(model)
    with zipfile.ZipFile(file, "a", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_members_come_in_the_order_in_which_they_were_added(bare_tflite: bytes) -> None:
    members = {"temp_meta.txt": b"{'names': {0: 'ant', 1: 'bee'}}", "labels.txt": b"ant\nbee\n"}

    assert list(appended_text_members(with_members(bare_tflite, members)).items()) == list(members.items())


@pytest.mark.parametrize("kept", [0, 10, -10])
def test_a_file_without_a_whole_zip_has_no_members(kept: int, bare_tflite: bytes) -> None:
    zipped = with_members(b"", {"labels.txt": b"ant\nbee\n"})

    assert appended_text_members(bare_tflite + zipped[:kept]) == {}


def test_members_that_are_too_large_are_left_out(bare_tflite: bytes) -> None:
    members = {"labels.txt": b"a\nb\n", "large.bin": bytes((4 << 20) + 1)}

    assert list(appended_text_members(with_members(bare_tflite, members))) == ["labels.txt"]


def test_no_more_is_read_than_16_mb_in_total(bare_tflite: bytes) -> None:
    members = {f"{number}.txt": bytes(3 << 20) for number in range(9)}

    assert len(appended_text_members(with_members(bare_tflite, members))) == 5


def test_a_zip_with_thousands_of_members_counts_as_none(bare_tflite: bytes) -> None:
    assert appended_text_members(with_members(bare_tflite, {f"{number}.txt": b"x" for number in range(5000)})) == {}


def test_a_member_that_unpacks_to_more_than_it_says_is_not_unpacked(bare_tflite: bytes) -> None:
    zipped = bytearray(with_members(b"", {"labels.txt": bytes(50 << 20)}))
    entry = zipped.index(b"PK\x01\x02")
    struct.pack_into("<L", zipped, entry + 16, zlib.crc32(bytes(100)))
    struct.pack_into("<L", zipped, entry + 24, 100)
    tracemalloc.start()

    assert appended_text_members(bare_tflite + zipped) == {"labels.txt": bytes(100)}
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()
