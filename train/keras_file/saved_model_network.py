"""A SavedModel folder as a network of Keras."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.reason import reason
from edgeclf.train.keras_file.saved_model_folder import check_saved_model, read_graph
from edgeclf.train.keras_file.saved_model_program import Program, read_program
from edgeclf.train.keras_file.saved_model_variables import read_variables


def load_saved_model(path: Path) -> keras.Model:
    """The graph behind the signature of a SavedModel: images in float32, in batches of any size, to float32 scores.

    The numbers of its variables become constants. Raises ModelError for what is not an image classifier, or not harmless.
    """
    check_saved_model(path)
    meta = read_graph(path)
    program = read_program(path, meta)
    values = read_variables(path, meta, program)
    image = keras.Input(program.shape[1:], name="image")
    try:
        outputs = _FrozenGraph(_frozen(program, values), name="saved_model")(image)
    except Exception as error:  # TensorFlow raises many classes for a graph that it did not write
        raise ModelError(f"{path} cannot be loaded by TensorFlow ({reason(error)}); save the model again") from None
    return keras.Model(image, outputs, name="saved_model")


def _frozen(program: Program, values: dict[str, NDArray[Any]]) -> Any:
    """One graph without variables and without calls of functions."""
    variables = {name: tf.Variable(value) for name, value in values.items() if program.variables[name]}

    def run(image: tf.Tensor) -> tf.Tensor:
        given = {program.input: tf.cast(image, tf.as_dtype(program.input_type))}
        for name, value in values.items():
            given[f"{name}:0"] = _handle(variables[name]) if name in variables else tf.constant(value)
        (output,) = tf.graph_util.import_graph_def(program.graph, given, [program.output], name="")
        return tf.cast(output, tf.float32)

    spec = tf.TensorSpec((None, *program.shape[1:]), tf.float32, name="image")
    traced = tf.function(run, input_signature=[spec], autograph=False).get_concrete_function()
    return convert_variables_to_constants_v2(traced, aggressive_inlining=True)


def _handle(variable: tf.Variable) -> tf.Tensor:
    graph = tf.compat.v1.get_default_graph()
    graph.watch_variable(variable)
    return graph.capture(variable.handle)


class _FrozenGraph(keras.layers.Layer):  # type: ignore[misc]
    """Writes its operations into the graph that calls it, where they can be looked at, and converted."""

    def __init__(self, frozen: Any, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self.supports_jit = False  # XLA lacks some operations
        self._run = frozen
        self._graph = tf.compat.v1.graph_util.extract_sub_graph(frozen.graph.as_graph_def(), [frozen.outputs[0].op.name])

    def call(self, image: tf.Tensor) -> tf.Tensor:
        if tf.executing_eagerly():
            return self._run(image)[0]
        inputs, outputs = self._run.inputs[0].name, self._run.outputs[0].name
        (output,) = tf.graph_util.import_graph_def(self._graph, {inputs: image}, [outputs], name=self.name)
        return output
