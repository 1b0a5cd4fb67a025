"""SavedModel folders as TensorFlow writes them, harmless or hostile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

SHAPE = (16, 20, 3)
Compute = Callable[[tf.Tensor], Any]


class _Saved(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_uniform((3, 3), (1, 2)), name="kernel")

    def scores(self, image: tf.Tensor) -> tf.Tensor:
        means = tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]) / 255
        return tf.nn.softmax(tf.matmul(means, self.kernel))


def write_saved_model(
    path: Path, then: Compute = lambda scores: scores, batch: int | None = None, dtype: Any = tf.float32
) -> Callable[[Any], Any]:
    """Save a network of three classes, and return it. then: what is computed from its scores, `[batch, 3]`."""
    module = _Saved()

    def serve(image: tf.Tensor) -> Any:
        return then(module.scores(image))

    module.serve = tf.function(serve, [tf.TensorSpec((batch, *SHAPE), dtype, name="image")], autograph=False)
    tf.saved_model.save(module, str(path), module.serve)
    return lambda image: module.scores(image).numpy()


def write_tensorflow_1(path: Path, use_resource: bool) -> Callable[[Any], Any]:
    """The same kind of network as TensorFlow 1 saves it, as in Lobe's exports: with the label beside the confidences."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (1, *SHAPE), "image")
        start = tf.random.stateless_uniform((3, 3), (1, 2))
        kernel = v1.get_variable("kernel", initializer=start, use_resource=use_resource)
        scores = tf.nn.softmax(tf.matmul(tf.reduce_mean(image, [1, 2]) / 255, kernel))
        label = tf.gather(tf.constant(["a", "b", "c"]), tf.argmax(scores, -1))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path), {"Image": image}, {"Confidences": scores, "Label": label})
    return _Saved().scores


def change_graph(path: Path, change: Callable[[Any], None]) -> None:
    """Change the MetaGraphDef of a saved model."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
