"""Freezes a trained network into one graph that follows the model contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager.wrap_function import function_from_graph_def
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.export.further_parity import FurtherReference
from edgeclf.export.outputs import add_outputs
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.card import Head, ModelCard
from edgeclf.runtime.model.further_outputs import Answers
from edgeclf.train.keras_file.reason import reason
from edgeclf.train.keras_file.saving import KerasModel

_BATCH = 32


@dataclass(frozen=True)
class Frozen:
    """A network as a graph, with its card. path: of the model that it was made of.

    function: takes `image`, uint8 `[batch, H, W, C]`, and returns `probabilities`, float32 `[batch, classes]`, and behind it
    the further outputs that the card names.
    """

    path: Path
    card: ModelCard
    function: tf.types.experimental.ConcreteFunction

    def with_function(self, function: tf.types.experimental.ConcreteFunction) -> "Frozen":
        """The same outputs of another graph of the network, which returns only `probabilities`."""
        complete, _ = add_outputs(function, (OUTPUT, *self.card.outputs), str(self.path))
        return replace(self, function=complete)

    def further(self, images: Pixels, classes: NDArray[np.intp]) -> FurtherReference:
        """The further outputs for uint8 images `[N, H, W, C]`. classes: whose heatmaps, one for each image."""
        if not self.card.outputs:
            return FurtherReference()
        names = (OUTPUT, *self.card.outputs)
        parts = (self.function(tf.constant(images[start : start + _BATCH])) for start in range(0, len(images), _BATCH))
        answers = (Answers(**{name: one.numpy() for name, one in zip(names, part, strict=True)}) for part in parts)
        return FurtherReference.of(answers, classes)

    def of_floats(self) -> tf.types.experimental.ConcreteFunction:
        """The same function of float32 images: the cast at its beginning is left out."""
        graph = self.function.graph.as_graph_def()
        (source,) = (tensor.op.name for tensor in self.function.inputs)
        casts = [node for node in graph.node if node.op == "Cast" and list(node.input) == [source]]
        for node in casts:
            graph.node.remove(node)
        cast = {node.name for node in casts}
        for node in graph.node:
            node.input[:] = [source if name in cast else name for name in node.input]
            if node.name == source:
                node.attr["dtype"].type = tf.float32.as_datatype_enum
        outputs = [tensor.name for tensor in self.function.outputs]
        return function_from_graph_def(graph, [f"{source}:0"], outputs)


def freeze(model: KerasModel, outputs: tuple[str, ...] = (OUTPUT,)) -> Frozen:
    """The network in inference mode, in which every weight is a constant.

    outputs: as for `add_outputs`; none besides `probabilities` by default.
    Converters fail on variables, and on the extra inputs that `keras.Model.export` leaves in some networks. Freezing takes
    seconds, so all files are made of one graph. Raises ModelError if the network cannot be frozen.
    """
    shape = (None, *model.card.preprocess.shape)

    def serve(image: tf.Tensor) -> tf.Tensor:
        raw = tf.cast(model.network(tf.cast(image, tf.float32), training=False), tf.float32)
        return tf.identity(_as_probabilities(raw, model.card.head), name=OUTPUT)

    traced = tf.function(serve, input_signature=[tf.TensorSpec(shape, tf.uint8, name=INPUT)], autograph=False)
    try:
        with _inlined_functions():
            function = convert_variables_to_constants_v2(traced.get_concrete_function())
    except Exception as error:  # layers raise many classes without a common base
        problem = f"{model.path} cannot be frozen, maybe because it updates its weights during inference ({reason(error)})"
        raise ModelError(f"{problem}; use layers that respect training=False") from None
    function, further = add_outputs(function, outputs, str(model.path))
    return Frozen(model.path, replace(model.card, outputs=further) if further else model.card, function)


def _as_probabilities(raw: tf.Tensor, head: Head) -> tf.Tensor:
    """The output of a head as one probability per class. A single unit is the probability of the second class."""
    one_unit = raw.shape[-1] == 1
    if head == "logits":
        raw = tf.sigmoid(raw) if one_unit else tf.nn.softmax(raw)
    return tf.concat([1.0 - raw, raw], axis=1) if one_unit else raw


@contextmanager
def _inlined_functions() -> Iterator[None]:
    """Inline the functions that layers call into the graph while it is traced.

    Keras wraps grouped convolutions (ConvNeXt) in XLA-compiled functions, which converters cannot read.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
