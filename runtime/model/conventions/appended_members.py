"""The files that other tools append to a TFLite file as a zip: label lists, or a description of the model."""

import io
import struct
import zipfile
import zlib

_MAX_MEMBERS = 200
_MAX_MEMBER_BYTES = 4 << 20
_MAX_TOTAL_BYTES = 16 << 20
_ENCRYPTED = 0x1
_DIRECTORY_ENTRY = b"PK\x01\x02"


def appended_text_members(data: bytes) -> dict[str, bytes]:
    """The members of the zip behind a model file by name, in the order in which they were added; empty without a zip.

    They are not decoded. Members that are encrypted, damaged or larger than 4 MB are left out, and so are those beyond
    16 MB in total. A zip with more than 200 members counts as none.
    """
    if data.count(_DIRECTORY_ENTRY) > _MAX_MEMBERS:  # before the directory is read, which takes time for each member
        return {}
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                content = _read(archive, member, _MAX_TOTAL_BYTES - sum(map(len, members.values())))
                if content is not None and not member.is_dir():
                    members.setdefault(member.filename, content)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error, OverflowError):
        return members
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: int) -> bytes | None:
    """The bytes of a member; None if it is too large or cannot be read."""
    size = member.file_size
    unusual = member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & _ENCRYPTED
    if unusual or size > min(_MAX_MEMBER_BYTES, room):
        return None
    try:
        with archive.open(member) as file:
            return file.read(size)  # read() would first unpack all that there is, whatever the size says
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error, struct.error):
        return None
