"""The card and the digest of a TFLite file, in a zip behind its tables."""

import io
import zipfile

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import CARD_MEMBER, ModelCard, read_zip_card
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest

_DIRECTORY_ENTRY = b"PK\x01\x02"
_MAX_MEMBERS = 10_000


def read_card(data: bytes) -> str | None:
    """The JSON text of the card; None without a card. Raises ModelError if it is damaged, or the zip is not ours."""
    if data.count(_DIRECTORY_ENTRY) > _MAX_MEMBERS:  # zipfile would take a minute for a million of them
        raise ModelError(
            f"the zip at the model's end has more than {_MAX_MEMBERS:,} members; copy or export the model again"
        )
    return read_zip_card(io.BytesIO(data))


def append_card(tflite: bytes, card: ModelCard) -> bytes:
    """Append card and digest as a zip, which TFLite readers ignore. Members of a zip that is there already are kept."""
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:  # offsets count from the start of the file, as unzip expects
        archive.writestr(CARD_MEMBER, card.to_json())
        archive.comment = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()
    return embed_digest(file.getvalue())
