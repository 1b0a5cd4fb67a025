"""Random changes to the pictures of a training step: Keras layers in front of the network, left out when it is saved."""

import keras
from keras import layers


def augmentation(seed: int) -> keras.Sequential:
    """float32 `[N, H, W, C]`, 0 to 255, to the same: flips, small shifts and zooms, contrast.

    Edges are filled by reflection. Deterministic for a seed.
    """
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomTranslation(0.05, 0.05, fill_mode="reflect", seed=seed + 1),
            layers.RandomZoom(0.1, fill_mode="reflect", seed=seed + 2),
            layers.RandomContrast(0.1, value_range=(0, 255), seed=seed + 3),
        ],
        name="augmentation",
    )
