"""The result of adopting a model from elsewhere."""

from dataclasses import dataclass

from edgeclf.runtime.model.card import ModelCard


@dataclass(frozen=True)
class Adopted:
    """A model file under the model contract.

    data: the file: uint8 images `[batch, H, W, C]` in, probabilities out, with card and digest inside.
    one_by_one: whether its graph fixes the batch to one image; the runtime then runs images one by one.
    """

    data: bytes
    card: ModelCard
    one_by_one: bool
