"""Tools whose files say nothing about themselves: only `--from` names them."""

from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from edgeclf.runtime.model.conventions.scales import SCALES


def read_nothing(_: Evidence) -> Facts | None:
    return None


TORCHVISION = Convention(
    read_nothing,
    from_flag(
        "torchvision",  # the presets of most weights: Resize(256), CenterCrop(224)
        scaling=SCALES["imagenet"].scaling,
        channels="rgb",
        resize="pillow-bilinear",
        fit="crop",
        crop_pct=0.875,
        crop_offset="round",
        head="logits",
    ),
)
CORAL = Convention(
    read_nothing,
    from_flag(  # pycoral, examples/classify_image.py
        "coral", scaling=Scaling((128.0,), (128.0,)), channels="rgb", resize="pillow-lanczos", fit="stretch"
    ),
)
KERAS = Convention(
    read_nothing,
    from_flag(  # keras.utils.image_dataset_from_directory, with the scaling inside the network
        "keras", scaling=SCALES["none"].scaling, channels="rgb", resize="bilinear", fit="stretch"
    ),
)
