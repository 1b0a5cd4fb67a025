"""A trained `.keras` file opened for export, and its network as one frozen graph that honours the model contract."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.model.card import ModelCard, read_zip_card

INPUT = "image"
OUTPUT = "probabilities"


@dataclass(frozen=True)
class KerasModel:
    """The network as trained, with the card from the same file."""

    path: Path
    network: keras.Model
    card: ModelCard


def open_keras(path: Path) -> KerasModel:
    """Load a model that `clf-train` saved. Raises ModelError for any other file."""
    if not path.is_file():
        raise ModelError(f"{path} does not exist or is no file; clf-export takes the model.keras of a training run")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is damaged or no .keras file; train again, or copy it again")
    try:
        card_text = read_zip_card(path)
        card = ModelCard.from_json(card_text) if card_text is not None else None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if card is None:
        cause = "carries no model card, so its classes and picture size are unknown"
        raise ModelError(f"{path} {cause}; train it with clf-train")
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything from KeyError to TypeError for a file that is not its own
        raise ModelError(f"{path} cannot be loaded by Keras {keras.__version__} ({first_line(error)})") from None
    return KerasModel(path, network, card)


def freeze(model: KerasModel, input_type: tf.DType) -> tf.types.experimental.ConcreteFunction:
    """A graph from `image`, `input_type` `[batch, H, W, C]` of 0 to 255, to `probabilities`, float32 `[batch, classes]`.

    In inference mode, with every weight a constant: converters stumble over variables, and over the extra inputs that
    `keras.Model.export` leaves with some networks.
    """
    shape = (None, *model.card.preprocess.shape)

    def serve(image: tf.Tensor) -> tf.Tensor:
        raw = model.network(tf.cast(image, tf.float32), training=False)
        both = tf.concat([1.0 - raw, raw], axis=1) if model.card.head == "sigmoid" else raw
        return tf.identity(both, name=OUTPUT)

    traced = tf.function(serve, input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)], autograph=False)
    return convert_variables_to_constants_v2(traced.get_concrete_function())
