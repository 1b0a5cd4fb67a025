"""A Keras model without a card gets one, and answers like the code of its owner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edgeclf.export.external_model import attach_card, attach_card_to
from edgeclf.export.frozen import freeze
from edgeclf.export.options import ExternalModel
from edgeclf.runtime.errors import EdgeclfError, ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.train.keras_file.saving import save as write_with_card

Save = Callable[..., Path]
APPLICATIONS = keras.applications
THREE = ("a", "b", "c")
TWO = ("no", "yes")


def body(*ending: keras.Layer, shape: tuple[Any, ...] = (16, 20, 3)) -> keras.Model:
    """A small network whose answers depend on the colours, with these last layers."""
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape), layers.Conv2D(6, 3, activation="tanh"), POOL(), *ending])


POOL = layers.GlobalAveragePooling2D


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(network: keras.Model, name: str = "model.keras") -> Path:
        network.save(tmp_path / name)
        return tmp_path / name

    return write


def noise(shape: tuple[int, int, int] = (16, 20, 3), count: int = 5) -> NDArray[np.uint8]:
    levels = np.random.default_rng(2).integers(1, 256, (count, 1, 1, shape[2]))
    return np.random.default_rng(1).integers(0, levels, (count, *shape)).astype(np.uint8)


def by_hand(scores: NDArray[np.float32], head: str) -> NDArray[np.float64]:
    """Probabilities from the textbook formulas."""
    if head == "sigmoid":
        return np.concatenate([1 - scores, scores], axis=1)
    if head == "logits" and scores.shape[1] == 1:
        second = 1 / (1 + np.exp(-scores.astype(float)))
        return np.concatenate([1 - second, second], axis=1)
    powers = np.exp(scores.astype(float))
    return powers / powers.sum(axis=1, keepdims=True) if head == "logits" else scores


SCALES: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": lambda levels: levels,
    "1/255": lambda levels: levels / 255,
    "-1..1": APPLICATIONS.mobilenet_v2.preprocess_input,
    "imagenet": APPLICATIONS.densenet.preprocess_input,
    "caffe": APPLICATIONS.resnet.preprocess_input,
}


@pytest.mark.parametrize("scale", SCALES)
def test_pixels_are_scaled_like_in_keras_applications(save: Save, scale: Any) -> None:
    network = body(layers.Dense(3, activation="softmax"))
    network.layers[0].set_weights([weight / 50 for weight in network.layers[0].get_weights()])
    expected = network.predict_on_batch(SCALES[scale](noise().astype(np.float32)))
    np.testing.assert_allclose(
        attach_card(save(network), ExternalModel(THREE, scale=scale)).answers(noise()), expected, atol=2e-6
    )


HEADS = {
    "softmax": (lambda: body(layers.Dense(3, activation="softmax")), "softmax"),
    "softmax as a layer": (lambda: body(layers.Dense(3), layers.Softmax()), "softmax"),
    "softmax as an activation": (lambda: body(layers.Dense(3), layers.Activation("softmax")), "softmax"),
    "softmax of two": (lambda: body(layers.Dense(2, activation="softmax")), "softmax"),
    "softmax and a reshape": (lambda: body(layers.Dense(3, activation="softmax"), layers.Reshape((3,))), "softmax"),
    "softmax in float16": (lambda: body(layers.Dense(3, activation="softmax", dtype="mixed_float16")), "softmax"),
    "softmax by hand": (lambda: by_operations(), "softmax"),
    "mean of softmaxes": (lambda: ensemble(), "softmax"),
    "nested": (lambda: keras.Sequential([body(layers.Dense(3), layers.Softmax())]), "softmax"),
    "subclass": (lambda: Subclass(layers.Dense(3, activation="softmax")), "softmax"),
    "sigmoid": (lambda: body(layers.Dense(1, activation="sigmoid")), "sigmoid"),
    "sigmoid of a subclass": (lambda: Subclass(layers.Dense(1, activation="sigmoid")), "sigmoid"),
    "scores": (lambda: body(layers.Dense(3)), "logits"),
    "scores of a subclass": (lambda: Subclass(layers.Dense(3)), "logits"),
    "one score": (lambda: body(layers.Dense(1)), "logits"),
    "log softmax": (lambda: body(layers.Dense(3, activation="log_softmax")), "logits"),
    "scores of a convolution": (
        lambda: keras.Sequential([keras.Input((16, 20, 3)), layers.Conv2D(3, 3), POOL()]),
        "logits",
    ),
}


class Subclass(keras.Model):
    def __init__(self, ending: keras.Layer) -> None:
        super().__init__()
        self.inner = body(ending)

    def call(self, image: Any) -> Any:
        return self.inner(image)


def by_operations() -> keras.Model:
    inner = body(layers.Dense(3))
    powers = keras.ops.exp(inner.outputs[0])
    return keras.Model(inner.inputs[0], powers / keras.ops.sum(powers, axis=1, keepdims=True))


def ensemble() -> keras.Model:
    image = keras.Input((16, 20, 3))
    members = [body(layers.Dense(3, activation="softmax")) for _ in range(2)]
    for number, member in enumerate(members):
        member.name = f"member{number}"
    return keras.Model(image, layers.Average()([member(image) for member in members]))


@pytest.mark.parametrize(("make", "head"), HEADS.values(), ids=HEADS)
def test_the_head_is_detected(make: Callable[[], keras.Model], head: str) -> None:
    network = make()
    scores = np.asarray(network(noise().astype(np.float32), training=False), np.float32)
    classes = TWO if scores.shape[1] < 3 else THREE
    model = attach_card_to(network, ExternalModel(classes, imgsz=(16, 20)), Path("network.keras"))
    assert model.card.head == head
    np.testing.assert_allclose(model.answers(noise()), by_hand(scores, head), atol=2e-6)


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_the_frozen_graph_answers_like_the_model(units: int, activation: str | None) -> None:
    external = ExternalModel(TWO if units == 1 else THREE, scale="caffe")
    if (units, activation) in ((1, "softmax"), (3, "sigmoid")):
        with pytest.raises(ModelError):
            attach_card_to(body(layers.Dense(units, activation=activation)), external, Path("x.keras"))
        return
    model = attach_card_to(body(layers.Dense(units, activation=activation)), external, Path("x.keras"))
    (graph,) = freeze(model, tf.uint8)(tf.constant(noise()))
    np.testing.assert_allclose(graph.numpy(), model.answers(noise()), atol=2e-6)
    np.testing.assert_allclose(graph.numpy().sum(axis=1), 1, atol=1e-6)


def test_large_logits_do_not_overflow() -> None:
    network = body(layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(stddev=1e4)))
    answers = attach_card_to(network, ExternalModel(THREE), Path("x.keras")).answers(noise())
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_several_sigmoids_are_refused_unless_taken_as_logits(save: Save) -> None:
    path = save(body(layers.Dense(3, activation="sigmoid")))
    with pytest.raises(ModelError, match=r"3 sigmoid units.*--head logits"):
        attach_card(path, ExternalModel(THREE))
    assert attach_card(path, ExternalModel(THREE, head="logits")).card.head == "logits"


@pytest.mark.parametrize(
    ("ending", "keywords"),
    [
        (layers.Dense(3, activation="tanh"), "Tanh.* --head softmax or --head logits"),
        (layers.Dense(1, activation="softmax"), "softmax over one unit"),
        (layers.Dense(1, activation="hard_sigmoid"), "--head sigmoid or --head logits"),
        (layers.Dense(3, bias_initializer=keras.initializers.Constant(np.nan)), "NaN or infinity"),
    ],
    ids=["tanh", "softmax of one", "hard sigmoid", "nan"],
)
def test_a_doubtful_head_is_refused(ending: keras.Layer, keywords: str) -> None:
    with pytest.raises(ModelError, match=keywords):
        attach_card_to(body(ending), ExternalModel(THREE if ending.units == 3 else TWO), Path("x.keras"))


@pytest.mark.parametrize(
    ("units", "head", "keywords"),
    [
        (3, "softmax", "3 units and .*sum to 1"),
        (1, "softmax", "1 unit and "),
        (3, "sigmoid", "one unit from 0 to 1"),
        (1, "sigmoid", "one unit from 0 to 1"),
    ],
    ids=["scores as softmax", "one as softmax", "three as sigmoid", "score as sigmoid"],
)
def test_a_head_that_contradicts_the_answers_is_refused(units: int, head: Any, keywords: str) -> None:
    network = body(layers.Dense(units, bias_initializer=keras.initializers.Constant(7.0)))
    with pytest.raises(OptionError, match=f"--head {head} does not fit x.keras, .*{keywords}"):
        attach_card_to(network, ExternalModel(THREE if units == 3 else TWO, head=head), Path("x.keras"))


def test_the_card_has_what_the_owner_said(save: Save) -> None:
    card = attach_card(save(body(layers.Dense(1))), ExternalModel(TWO, scale="1/255", resize="nearest", fit="crop")).card
    assert (card.classes, card.head) == (TWO, "logits")
    assert card.preprocess == Preprocess((16, 20), 3, "nearest", "crop")
    assert card.training == {"from": "model.keras", "scale": "1/255"}


def test_images_are_resized_like_in_keras_by_default() -> None:
    assert ExternalModel(TWO).resize == "bilinear"


def test_grey_images_keep_their_one_channel(save: Save) -> None:
    network = body(layers.Dense(3), shape=(16, 20, 1))
    assert attach_card(save(network), ExternalModel(THREE, scale="1/255")).card.preprocess.shape == (16, 20, 1)


def test_a_network_for_any_size_gets_the_given_one(save: Save) -> None:
    path = save(body(layers.Dense(3, activation="softmax"), shape=(None, None, 3)))
    model = attach_card(path, ExternalModel(THREE, imgsz=(24, 32)))
    assert model.card.preprocess.size_hw == (24, 32)
    assert model.answers(noise((24, 32, 3))).shape == (5, 3)


def test_the_h5_format_gives_the_same_answers_if_allowed(save: Save) -> None:
    network = body(layers.BatchNormalization(), layers.Dense(3, activation="softmax"))
    plain, older = save(network), save(network, "model.h5")
    expected = attach_card(plain, ExternalModel(THREE)).answers(noise())
    np.testing.assert_array_equal(attach_card(older, ExternalModel(THREE, allow_h5=True)).answers(noise()), expected)
    with pytest.raises(ModelError, match=r"\.h5 format"):
        attach_card(older, ExternalModel(THREE))


def two_inputs() -> keras.Model:
    images = [keras.Input((16, 20, 3)), keras.Input((16, 20, 3))]
    return keras.Model(images, layers.Dense(3)(POOL()(layers.Add()(images))))


def two_outputs() -> keras.Model:
    image = keras.Input((16, 20, 3))
    return keras.Model(image, [layers.Dense(3)(POOL()(image)), layers.Dense(3)(POOL()(image))])


def flat(*shape: int) -> keras.Model:
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])


MISFITS: dict[str, tuple[Callable[[], keras.Model], dict[str, Any], str]] = {
    "two inputs": (two_inputs, {}, "takes 2 inputs"),
    "two outputs": (two_outputs, {}, "has 2 outputs"),
    "a map": (lambda: keras.Sequential([keras.Input((16, 20, 3)), layers.Conv2D(3, 3)]), {}, r"returns \[any, 14, 18, 3\]"),
    "a vector": (lambda: flat(784), {}, r"takes \[any, 784\] instead of images"),
    "no channels": (lambda: flat(28, 28), {}, r"takes \[any, 28, 28\] instead of images"),
    "channels first": (lambda: flat(3, 16, 20), {}, r"takes \[any, 3, 16, 20\] instead of images .*channels last"),
    "any size": (
        lambda: body(layers.Dense(3), shape=(None, None, 3)),
        {},
        "any size; .* --imgsz",
    ),
    "another size": (lambda: flat(16, 20, 3), {"imgsz": (16, 16)}, r"--imgsz 16 .*\[16, 20\]"),
    "one class short": (lambda: flat(16, 20, 3), {"classes": TWO}, r"has 3 outputs, .* 2 \(no, yes\)"),
    "one output": (lambda: body(layers.Dense(1)), {}, "has 1 output, which stands for two classes, .* 3 "),
    "grey by colours": (lambda: flat(16, 20, 1), {"scale": "caffe"}, "--scale caffe needs colour"),
}


@pytest.mark.parametrize(("make", "options", "keywords"), MISFITS.values(), ids=MISFITS)
def test_a_model_that_is_not_an_image_classifier_is_refused(
    save: Save, make: Callable[[], keras.Model], options: dict[str, Any], keywords: str
) -> None:
    with pytest.raises(EdgeclfError, match=keywords):
        attach_card(save(make()), ExternalModel(**{"classes": THREE} | options))


def test_a_size_that_the_network_cannot_take_is_refused(save: Save) -> None:
    network = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 9), POOL(), layers.Dense(3)])
    with pytest.raises(ModelError, match=r"\[4, 4, 3\] .* check --imgsz"):
        attach_card(save(network), ExternalModel(THREE, imgsz=(4, 4)))


def test_a_step_that_exceeds_memory_is_refused_before_the_first_image(save: Save) -> None:
    network = keras.Sequential([keras.Input((16, 20, 3)), layers.UpSampling2D(4000), POOL(), layers.Dense(3)])
    with pytest.raises(ModelError, match="15,360,000,000 numbers in one step"):
        attach_card(save(network), ExternalModel(THREE))


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ({"scale": "255"}, "scale must be one of .*, not '255'"),
        ({"head": "linear"}, "head must be one of .*, not 'linear'"),
        ({"resize": "cubic"}, "resize must be one of"),
        ({"imgsz": (0, 8)}, "image size must be"),
        ({"classes": ("a", "a")}, "at least two classes"),
    ],
    ids=["scale", "head", "resize", "imgsz", "classes"],
)
def test_options_check_themselves(options: dict[str, Any], keywords: str) -> None:
    with pytest.raises(EdgeclfError, match=keywords):
        ExternalModel(**{"classes": TWO} | options)


def test_a_model_with_a_card_gets_no_second_one(tmp_path: Path) -> None:
    card = ModelCard(THREE, Preprocess((16, 20)))
    write_with_card(body(layers.Dense(3, activation="softmax")), card, {}, tmp_path / "model.keras")
    with pytest.raises(OptionError, match="leave out --classes"):
        attach_card(tmp_path / "model.keras", ExternalModel(THREE))


def test_code_in_a_file_never_runs(save: Save, tmp_path: Path) -> None:
    marker = str(tmp_path / "marker")
    network = body(layers.Lambda(lambda x: (Path(marker).touch(), x)[1], output_shape=(6,)), layers.Dense(3))
    network(noise().astype(np.float32))
    Path(marker).unlink()  # it would have run
    path = save(network)
    with pytest.raises(ModelError, match="Lambda layer"):
        attach_card(path, ExternalModel(THREE))
    assert not Path(marker).exists()


def test_a_custom_class_is_not_loaded_even_if_registered(save: Save) -> None:
    @keras.saving.register_keras_serializable("mine")
    class Mine(layers.Dense):
        pass

    with pytest.raises(ModelError, match="class Mine"):
        attach_card(save(body(Mine(3))), ExternalModel(THREE))
