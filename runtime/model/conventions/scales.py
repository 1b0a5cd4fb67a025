"""The usual ways to scale pixels for a network, by the names that `--scale` takes."""

from typing import Literal, NamedTuple

from edgeclf.runtime.model.conventions.facts import ChannelOrder, Scaling

ScaleName = Literal["1/255", "-1..1", "none", "imagenet", "caffe"]


class Scale(NamedTuple):
    """channels: the order of the network's channels that goes with the scaling; None if it is independent of it."""

    scaling: Scaling
    channels: ChannelOrder | None = None


SCALES: dict[ScaleName, Scale] = {
    "1/255": Scale(Scaling((0.0,), (255.0,))),
    "-1..1": Scale(Scaling((127.5,), (127.5,))),
    "none": Scale(Scaling((0.0,), (1.0,))),
    "imagenet": Scale(Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))),
    "caffe": Scale(Scaling((103.939, 116.779, 123.68), (1.0, 1.0, 1.0)), "bgr"),
}
"""As in the `preprocess_input` functions of keras.applications and in torchvision: `imagenet` subtracts the mean and divides
by the deviation of ImageNet, `caffe` takes blue first and subtracts the mean."""
