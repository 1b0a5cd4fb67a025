"""The card inside a Keras file, read before Keras is loaded."""

from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.train.keras_file.safety import check_keras_file


def read_keras_card(path: Path) -> ModelCard:
    """The card of a model that `clf-train` saved. Raises ModelError for any other file."""
    check_keras_file(path)
    try:
        card_text = read_zip_card(path) if path.is_file() else None
        card = ModelCard.from_json(card_text) if card_text is not None else None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if card is None:
        cause = f"{path} has no model card, so its classes and image size are unknown"
        raise ModelError(
            f"{cause}; name them with clf-export {path} --classes labels.txt --data photos/, or train it with clf-train"
        )
    return card
