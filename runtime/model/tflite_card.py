"""Puts the card and the digest into a TFLite file."""

import io
import zipfile

from edgeclf.runtime.model.card import CARD_MEMBER, ModelCard
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest


def append_card(tflite: bytes, card: ModelCard) -> bytes:
    """Append card and digest as a zip, which TFLite readers ignore. Members of a zip that is there already are kept."""
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:  # offsets count from the start of the file, as unzip expects
        archive.writestr(CARD_MEMBER, card.to_json())
        archive.comment = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()
    return embed_digest(file.getvalue())
