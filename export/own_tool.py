"""A model from another tool as that tool runs it: the original file behind Pillow, in float, in its own layout."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.adoption.input_scaling import scaling_of
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.card import Head
from edgeclf.runtime.model.conventions.facts import Facts

_FILTERS = {
    "pillow-bilinear": Image.Resampling.BILINEAR,
    "pillow-bicubic": Image.Resampling.BICUBIC,
    "pillow-lanczos": Image.Resampling.LANCZOS,
    "pillow-box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}
_OPENCV = {"opencv-bilinear": cv2.INTER_LINEAR, "opencv-bicubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
_Scores = NDArray[np.float64]


@dataclass(frozen=True)
class OwnTool:
    """The original network. run: from its own input, a batch of one, to its scores, `[units]`. engine: name and version."""

    network: Network
    head: Head
    run: Callable[[NDArray[Any]], _Scores]
    engine: str

    def probabilities(self, images: Iterable[Pixels], facts: Facts) -> NDArray[np.float32]:
        """float32 `[N, classes]` for N uint8 images `[H, W, C]`, with the scaling and the channel order of `facts`."""
        return np.stack([self._probabilities(image, facts) for image in images]).astype(np.float32)

    def _probabilities(self, image: Pixels, facts: Facts) -> _Scores:
        taken = self.as_input(image, facts)
        try:
            scores = self.run(taken)
        except Exception as error:  # engines raise many classes
            raise ModelError(f"{self.engine} cannot run the original ({first_line(error)}); export it again") from None
        if self.head == "logits":
            scores = _sigmoid(scores) if len(scores) == 1 else np.exp(scores - scores.max())
            scores = scores if len(scores) == 1 else scores / scores.sum()
        return np.concatenate([1 - scores, scores]) if len(scores) == 1 else scores

    def as_input(self, image: Pixels, facts: Facts) -> NDArray[Any]:
        """One image as the network takes it, `[1, ...]`."""
        levels = image[..., ::-1] if facts.channels and facts.channels.value == "bgr" else image
        values = self._scaled(levels, facts)
        laid_out = values.transpose(2, 0, 1) if self.network.channels_first else values
        return np.ascontiguousarray(laid_out.astype(self.network.dtype)[None])

    def _scaled(self, levels: Pixels, facts: Facts) -> NDArray[Any]:
        """`levels` are in the network's order of channels."""
        if self.network.format == "TFLite" and self.network.is_quantised:  # its levels are those of the image already
            return levels.astype(np.int16) - (128 if self.network.dtype == "int8" else 0)
        if facts.scaling is None:
            return levels
        scaling = scaling_of(Path("the original"), self.network, facts)
        values = (levels - np.asarray(scaling.mean)) / np.asarray(scaling.std)
        if not self.network.is_quantised:
            return np.asarray(values)
        limits = np.iinfo(self.network.dtype)
        steps = values / (self.network.scale or 1.0) + self.network.zero_point
        return np.asarray(np.clip(np.rint(steps), limits.min, limits.max))


def open_own_tool(path: Path, network: Network, head: Head) -> OwnTool:
    """Open the original file with its engine."""
    opened = _open_onnx if network.format == "ONNX" else _open_tflite
    run, engine = opened(path, network)
    return OwnTool(network, head, run, engine)


def read_as_pillow(path: str, preprocess: Preprocess) -> Pixels:
    """An image file as the other tool makes it, uint8 `[H, W, C]`, for settings that `has_own_pixels` says are its own.

    Raises OSError if Pillow cannot read it. A table of levels is applied, as to the images of `Preprocess`.

    Written apart from `Preprocess`, so that each can show a fault of the other. The orientation in EXIF is applied.
    """
    if not has_own_pixels(preprocess):
        return preprocess(path)
    if preprocess.levels is not None:
        return _with_levels(read_as_pillow(path, replace(preprocess, levels=None)), preprocess.levels)
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB" if preprocess.channels == 3 else "L")
    height, width = preprocess.size_hw
    resize = partial(_resize, kind=preprocess.resize)
    if preprocess.crop_pct is not None:
        return _in_size(_cropped_later(image, preprocess, resize), preprocess)
    if preprocess.fit == "crop":
        return _pixels(ImageOps.fit(image, (width, height), _FILTERS[preprocess.resize]))
    if preprocess.fit == "pad":
        scale = max(image.height / height, image.width / width)
        sides = (min(round(image.height / scale), height), min(round(image.width / scale), width))
        return _in_size(resize(image, max(sides[0], 1), max(sides[1], 1)), preprocess)
    return _pixels(resize(image, height, width))


def has_own_pixels(preprocess: Preprocess) -> bool:
    """Whether Pillow or OpenCV alone can make the image, so that it is made apart from `Preprocess`.

    Not Keras's loader, a crop before the resize that is not Pillow's, and OpenCV's grey, which depends on the file.
    """
    if preprocess.resize in _OPENCV and preprocess.channels == 1:
        return False
    if preprocess.fit == "crop" and preprocess.crop_pct is None:
        return preprocess.resize.startswith("pillow-")
    return preprocess.resize in _FILTERS or preprocess.resize in _OPENCV


def _with_levels(pixels: Pixels, tables: Sequence[Sequence[int]]) -> Pixels:
    """One table for all channels, or one for each."""
    channels = pixels.shape[2]
    every = np.broadcast_to(np.asarray(tables, np.uint8), (channels, 256))
    return np.stack([every[number][pixels[..., number]] for number in range(channels)], axis=-1)


def _cropped_later(image: Image.Image, preprocess: Preprocess, resize: Callable[..., Image.Image]) -> Image.Image:
    """The whole image, larger than the network's by `crop_pct`."""
    height, width = (math.floor(side / (preprocess.crop_pct or 1) + 1e-6) for side in preprocess.size_hw)
    if preprocess.fit == "stretch":
        return resize(image, height, width)
    if preprocess.fit == "crop" and height == width:  # torchvision's Resize(int)
        side = height * max(image.size) / min(image.size)
        long = round(side) if preprocess.crop_offset == "lobe" else int(side)
        return resize(image, height, long) if image.height <= image.width else resize(image, long, width)
    ratio = (max if preprocess.fit == "pad" else min)(image.height / height, image.width / width)  # timm's ResizeKeepRatio
    return resize(image, max(1, round(image.height / ratio)), max(1, round(image.width / ratio)))


def _resize(image: Image.Image, height: int, width: int, kind: str) -> Image.Image:
    if kind in _FILTERS:
        return image.resize((width, height), _FILTERS[kind])
    return Image.fromarray(cv2.resize(np.asarray(image), (width, height), interpolation=_OPENCV[kind]))


def _in_size(image: Image.Image, preprocess: Preprocess) -> Pixels:
    """The centre of an image, with borders where it is smaller."""
    height, width = preprocess.size_hw
    pixels = _pixels(image)
    canvas = np.empty(preprocess.shape, np.uint8)
    canvas[:] = preprocess.pad_color
    too_high, too_wide = max(0, pixels.shape[0] - height), max(0, pixels.shape[1] - width)
    is_round = preprocess.crop_offset == "round"
    top, left = (round(border / 2) if is_round else border // 2 for border in (too_high, too_wide))
    cut = pixels[top : top + height, left : left + width]
    down, right = (height - cut.shape[0]) // 2, (width - cut.shape[1]) // 2
    canvas[down : down + cut.shape[0], right : right + cut.shape[1]] = cut
    return canvas


def _pixels(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _sigmoid(scores: _Scores) -> _Scores:
    return 1 / (1 + np.exp(-scores))


def _open_onnx(path: Path, network: Network) -> tuple[Callable[[NDArray[Any]], _Scores], str]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    taken, output = session.get_inputs()[0].name, session.get_outputs()[network.output].name

    def run(image: NDArray[Any]) -> _Scores:
        batch = np.repeat(image, network.batch or 1, axis=0)
        rows: _Scores = np.asarray(session.run([output], {taken: batch})[0], np.float64).reshape(len(batch), -1)
        return np.asarray(rows[0])

    return run, f"onnxruntime {ort.__version__}"


def _open_tflite(path: Path, network: Network) -> tuple[Callable[[NDArray[Any]], _Scores], str]:
    from importlib import metadata

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes())
    interpreter.allocate_tensors()
    taken, output = interpreter.get_input_details()[0], interpreter.get_output_details()[network.output]

    def run(image: NDArray[Any]) -> _Scores:
        if tuple(taken["shape"]) != image.shape:
            interpreter.resize_tensor_input(taken["index"], image.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], image)
        interpreter.invoke()
        scores = interpreter.get_tensor(output["index"]).astype(np.float64).reshape(-1)
        scale, zero_point = output["quantization"] if np.issubdtype(output["dtype"], np.integer) else (0.0, 0)
        return np.asarray((scores - zero_point) * scale if scale else scores)

    return run, f"LiteRT {metadata.version('ai-edge-litert')}"
