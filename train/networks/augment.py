"""Random augmentation: Keras layers in front of the network during training, which are not part of the saved model."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import require_choice

if TYPE_CHECKING:
    import keras

Fill = Literal["reflect", "constant", "wrap", "nearest"]

_LIMITS = {"rotation": 180.0, "width_shift": 1.0, "height_shift": 1.0, "shear": 1.0, "zoom": 0.9, "brightness": 1.0}


@dataclass(frozen=True)
class Augmentation:
    """How much an image may change at random; 0 and False turn a change off. Shares are those of Keras's layers.

    rotation: degrees, either way. width_shift, height_shift: share of the side, either way. shear: share of the side.
    zoom: share, in or out. brightness: share of the range, either way. contrast: share of the distance from the mean.
    fill: how to fill pixels beyond the edge.
    """

    rotation: float = 0.0
    width_shift: float = 0.0
    height_shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    fill: Fill = "reflect"

    def __post_init__(self) -> None:
        for name, value in ((field.name, getattr(self, field.name)) for field in fields(self) if field.type is float):
            if not 0 <= value <= _LIMITS.get(name, 1.0):
                raise OptionError(f"{name.replace('_', '-')} must be from 0 to {_LIMITS.get(name, 1.0):g}, not {value}")
        require_choice("--fill-mode", self.fill, get_args(Fill))

    @property
    def is_nothing(self) -> bool:
        """Whether all changes are turned off."""
        return replace(self, fill="reflect") == Augmentation()

    @property
    def is_mirror(self) -> bool:
        """Whether the only change is a horizontal flip."""
        return replace(self, fill="reflect") == Augmentation(horizontal_flip=True)

    def build(self, seed: int) -> "keras.Sequential":
        """Layers from float32 `[N, H, W, C]`, 0 to 255, to the same. Deterministic for a seed."""
        import keras

        return keras.Sequential([*self._layers(seed)], name="augmentation")

    def _layers(self, seed: int) -> "list[keras.Layer]":
        from keras import layers

        flip = {(1, 0): "horizontal", (0, 1): "vertical", (1, 1): "horizontal_and_vertical"}
        chosen: list[keras.Layer] = []
        if self.horizontal_flip or self.vertical_flip:
            chosen.append(layers.RandomFlip(flip[self.horizontal_flip, self.vertical_flip], seed=seed))
        if self.rotation:
            chosen.append(layers.RandomRotation(self.rotation / 360, fill_mode=self.fill, seed=seed + 1))
        if self.width_shift or self.height_shift:
            shifts = (self.height_shift, self.width_shift)
            chosen.append(layers.RandomTranslation(*shifts, fill_mode=self.fill, seed=seed + 2))
        if self.shear:
            chosen.append(layers.RandomShear(self.shear, self.shear, fill_mode=self.fill, seed=seed + 3))
        if self.zoom:
            chosen.append(layers.RandomZoom(self.zoom, fill_mode=self.fill, seed=seed + 4))
        if self.brightness:
            chosen.append(layers.RandomBrightness(self.brightness, value_range=(0, 255), seed=seed + 5))
        if self.contrast:
            chosen.append(layers.RandomContrast(self.contrast, value_range=(0, 255), seed=seed + 6))
        return chosen
