"""The classifier: an opened model file with its card."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast, overload

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ImageError, ModelError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import AnyImage
from edgeclf.runtime.model.backend import Backend, open_backend, read_model_file
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.facts import NOTHING
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.model.formats import is_runnable
from edgeclf.runtime.model.further_outputs import EMBEDDING, HEATMAP, Answers, check_further_outputs, place_of
from edgeclf.runtime.model.labels import count_advice
from edgeclf.runtime.model.last_operation import last_operation
from edgeclf.runtime.model.output_contract import find_output_problem, probe_images
from edgeclf.runtime.model.prediction import Prediction, at_hand
from edgeclf.runtime.spelling import advice
from edgeclf.runtime.terminal.plural import plural

_DEVICE = re.compile(r"auto|cpu|(cuda|tensorrt)(:\d+)?")
_DEVICES = ("auto", "cpu", "cuda", "cuda:N", "tensorrt", "tensorrt:N")
_BATCH = 32
"""Images of a list in one run of the model."""


class Classifier:
    """Predicts the class of images. Can be shared between threads.

    >>> Classifier.open("model.onnx").predict("cell.png")  # doctest: +SKIP
    Prediction(label='functional', confidence=0.9873)
    """

    def __init__(self, backend: Backend, card: ModelCard, path: Path | None = None) -> None:
        self.backend = backend
        self.card = card
        self.path = path
        """Of the model file; None if it was not opened from one."""

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str = "auto",
        threads: int | None = None,
        card: ModelCard | ModelDescription | None = None,
    ) -> "Classifier":
        """Open a `.onnx` or `.tflite` file.

        device: `auto`, `cpu`, `cuda`, `cuda:N`, `tensorrt` or `tensorrt:N`. `auto` uses CUDA if it starts, and never
            TensorRT, which takes minutes to build its engine.
        threads: CPU threads for one prediction; default all cores. Use 1 if there is a worker thread for each core.
        card: describes a model without a card, or replaces the card that it carries. A description may leave the size of
            the images to the file.
        A model from another tool is adopted in memory, if its file says all that is needed.
        Raises ModelError, DeviceError or OptionError.
        """
        if not _DEVICE.fullmatch(device):
            raise OptionError(f"there is no device {device!r}; {advice(device, _DEVICES)}")
        path = Path(path)
        require_runnable(path)
        data = read_model_file(path)
        is_ours = isinstance(card, ModelCard) or is_exported(data)
        data = data if is_ours else _adopted(path, data, card)
        backend = open_backend(path, device, threads or usable_cores(), data)
        if isinstance(card, ModelDescription):
            described = None if is_ours and not card.replaces_card else card.card_for(path, backend.input_shape)
            card = described if is_ours else None
        embedded = card is None
        if card is None:
            card = _embedded_card(path, backend)
        if card.preprocess.shape != backend.input_shape:
            expected, made = backend.input_shape, card.preprocess.shape
            raise ModelError(f"{path} takes images of {list(expected)} [H, W, C], but its card makes {list(made)}")
        classifier = cls(backend, card, path)
        classifier._check_output(path, data, embedded=embedded)
        check_further_outputs(path, card, backend.output_shapes if card.outputs else ())
        return classifier

    @overload
    def predict(self, image: AnyImage, *, heatmap: bool = ...) -> Prediction: ...  # type: ignore[overload-overlap]  # text is a sequence of text

    @overload
    def predict(self, image: Sequence[AnyImage], *, heatmap: bool = ...) -> list[Prediction]: ...

    def predict(self, image: AnyImage | Sequence[AnyImage], *, heatmap: bool = False) -> Prediction | list[Prediction]:
        """Predict one image, or each image of a list, in order, with several in one run of the model.

        image: a path, the bytes of a file, pixels (uint8 `[h, w, 3]` RGB or `[h, w]` grey), or an image of Pillow in any
        mode. heatmap: whether to fill `Prediction.heatmap`; raises ModelError if the file has no heatmaps.
        Raises ImageError for the first image that cannot be read; `classify` goes on after it.
        """
        outputs = (HEATMAP,) if heatmap else ()
        if not isinstance(image, list | tuple):
            return self._predict([cast(AnyImage, image)], outputs)[0]
        return [prediction for part in _in_batches(image) for prediction in self._predict(part, outputs)]

    def embed(self, image: AnyImage | Sequence[AnyImage]) -> NDArray[np.float32]:
        """What the last layer of the network sees of each image, float32 `[N, D]`; similar images have similar rows.

        image: as for `predict`; `[1, D]` for one. Raises ImageError, and ModelError if the file has no embeddings.
        """
        images = image if isinstance(image, list | tuple) else [cast(AnyImage, image)]
        nothing = np.empty((0, self.embedding_size), np.float32)
        parts = [self.answers(self._pixels(part), (EMBEDDING,)).embedding for part in _in_batches(images)]
        return np.concatenate([nothing, *(part for part in parts if part is not None)])

    @property
    def embedding_size(self) -> int:
        """D, the numbers in an embedding. Raises ModelError if the file has no embeddings."""
        return self.backend.output_shapes[place_of(EMBEDDING, self.card, self.path)][1] or 0

    def _predict(self, images: Sequence[AnyImage], outputs: Sequence[str]) -> list[Prediction]:
        answers = self.answers(self._pixels(images), outputs)
        return [
            Prediction(self.card.classes, row, at_hand(image), novelty, heatmap=heatmap, embedding=embedding)
            for image, (row, novelty, heatmap, embedding) in zip(images, answers, strict=True)
        ]

    def _pixels(self, images: Sequence[AnyImage]) -> Pixels:
        """Preprocessed images, uint8 `[N, H, W, C]`."""
        pixels = []
        for image in images:
            try:
                pixels.append(self.card.preprocess(image))
            except ImageError as error:
                error.add_note(f"image: {image!r:.200}")
                raise
        return np.stack(pixels)

    def probabilities(self, batch: Pixels) -> NDArray[np.float32]:
        """Classify preprocessed images, uint8 `[N, H, W, C]`; returns float32 `[N, classes]`.

        Raises ModelError if the model returns NaN or infinity, which argmax would turn into a class.
        """
        return _finite(self.backend.run(batch))

    def answers(self, batch: Pixels, outputs: Sequence[str] = ()) -> Answers:
        """Like `probabilities`, with novelty, if the model can tell it, and further outputs of the file.

        outputs: of `embedding` and `heatmap`. Raises ModelError if the file has no such output; see `ModelCard.outputs`.
        """
        novelty = self.card.novelty if EMBEDDING in self.card.outputs else None
        wanted = (*outputs, EMBEDDING) if novelty and EMBEDDING not in outputs else tuple(outputs)
        if not wanted:
            return Answers(self.probabilities(batch))
        places = [place_of(name, self.card, self.path) for name in wanted]
        probabilities, *further = map(_finite, self.backend.run_outputs(batch, [0, *places]))
        found = dict(zip(wanted, further, strict=True))
        novelties = novelty.of(found[EMBEDDING]) if novelty else None
        return Answers(probabilities, novelty=novelties, **{name: found[name] for name in outputs})

    def __repr__(self) -> str:
        name = f"{str(self.path)!r}, " if self.path else ""
        return f"Classifier({name}{self.card.summary}; {self.backend.engine} on {self.backend.device})"

    def _repr_html_(self) -> str:
        from edgeclf.runtime.terminal.notebook import table_html

        names = f"{self.card.first_classes} ({len(self.card.classes):,})"
        rows = [("classes", names), ("images", self.card.image_kind)]
        engine = f"{self.backend.engine} on {self.backend.device}"
        return table_html(self.path.name if self.path else "Classifier", [*rows, ("engine", engine)])

    def _check_output(self, path: Path, data: bytes, *, embedded: bool) -> None:
        """data: what the backend runs. embedded: whether the card is the file's own."""
        outputs = np.concatenate([self.probabilities(image) for image in probe_images(self.backend.input_shape)])
        count = len(self.card.classes)
        if outputs.ndim != 2:
            raise ModelError(f"{path} returns shape {[1, *outputs.shape[1:]]} for an image, not one probability per class")
        if outputs.shape[1] != count:
            problem = f"{path} returns {plural(outputs.shape[1], 'probability')}, but "
            problem += f"{'its card names' if embedded else 'you named'} {plural(count, 'class')}"
            raise ModelError(f"{problem}; {'export it again' if embedded else count_advice(count, outputs.shape[1])}")
        problem = find_output_problem(outputs, self.backend.output_levels, lambda: last_operation(path, data))
        if problem:
            raise ModelError(f"{path} returns {problem}")


def _in_batches(images: Sequence[AnyImage]) -> Iterator[Sequence[AnyImage]]:
    return (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))


def _finite(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(numbers).all():
        cause = "the model returns NaN or infinity, because its weights are damaged or too large for its precision"
        raise ModelError(f"{cause}; copy the file again, or export it in fp32")
    return numbers


def require_runnable(path: Path) -> None:
    """Raise ModelError for anything but a .onnx or .tflite file, by its name."""
    if not is_runnable(path):
        from edgeclf.runtime.model.adoption.not_runnable import why_not_run

        raise ModelError(why_not_run(path))


def _adopted(path: Path, data: bytes, described: ModelCard | ModelDescription | None) -> bytes:
    """A model from another tool under the model contract. Raises ModelError."""
    from edgeclf.runtime.model.adoption.on_the_fly import adopt_in_memory

    if isinstance(described, ModelDescription):
        return adopt_in_memory(path, data, described.facts(), described.usual).data
    return adopt_in_memory(path, data, NOTHING).data


def _embedded_card(path: Path, backend: Backend) -> ModelCard:
    if backend.card_text is None:
        raise ModelError(f"{path} carries no model card, so its classes are unknown; name them with --classes labels.txt")
    try:
        return ModelCard.from_json(backend.card_text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
