"""A Keras model without a card gets one, and answers like the code of its owner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from edgeclf.export.external_model import attach_card
from edgeclf.export.external_options import ExternalModel
from edgeclf.runtime.errors import EdgeclfError, ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.train.keras_file.saving import save as write_with_card
from tests.support.keras_networks import POOL, THREE, TWO, body, noise, skip_if_it_runs

Save = Callable[..., Path]
APPLICATIONS = keras.applications


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(network: keras.Model, name: str = "model.keras") -> Path:
        network.save(tmp_path / name)
        return tmp_path / name

    return write


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
        attach_card(save(network), ExternalModel(THREE, scale=scale)).probabilities(noise()), expected, atol=2e-6
    )


def test_bgr_networks_get_blue_first(save: Save) -> None:
    network = body(layers.Dense(3, activation="softmax"))
    expected = network.predict_on_batch(noise()[..., ::-1].astype(np.float32) / 255)
    model = attach_card(save(network), ExternalModel(THREE, scale="1/255", channels="bgr"))
    np.testing.assert_allclose(model.probabilities(noise()), expected, atol=2e-6)
    with pytest.raises(OptionError, match="caffe takes bgr"):
        ExternalModel(THREE, scale="caffe", channels="rgb")


def test_the_card_has_what_the_owner_said(save: Save) -> None:
    external = ExternalModel(TWO, scale="1/255", resize="nearest", fit="crop", head="logits")
    card = attach_card(save(body(layers.Dense(1))), external).card
    assert (card.classes, card.head) == (TWO, "logits")
    assert card.preprocess == Preprocess((16, 20), 3, "nearest", "crop", "none")
    assert card.training["scaling"] == {"mean": [0.0], "std": [255.0]}
    assert (card.training["origins"]["scaling"], card.training["origins"]["resize"]) == ("--scale", "--resize")


def test_images_are_resized_like_in_keras_by_default(save: Save) -> None:
    network = body(layers.Dense(3, activation="softmax"))
    assert attach_card(save(network), ExternalModel(THREE)).card.preprocess.resize == "bilinear"


def test_grey_images_keep_their_one_channel(save: Save) -> None:
    network = body(layers.Dense(3), shape=(16, 20, 1))
    assert attach_card(save(network), ExternalModel(THREE, scale="1/255")).card.preprocess.shape == (16, 20, 1)


def test_a_network_for_any_size_gets_the_given_one(save: Save) -> None:
    path = save(body(layers.Dense(3, activation="softmax"), shape=(None, None, 3)))
    model = attach_card(path, ExternalModel(THREE, imgsz=(24, 32)))
    assert model.card.preprocess.size_hw == (24, 32)
    assert model.probabilities(noise((24, 32, 3))).shape == (5, 3)


def test_the_h5_format_gives_the_same_answers(save: Save) -> None:
    network = body(layers.BatchNormalization(), layers.Dense(3, activation="softmax"))
    plain, older = save(network), save(network, "model.h5")
    expected = attach_card(plain, ExternalModel(THREE)).probabilities(noise())
    np.testing.assert_array_equal(attach_card(older, ExternalModel(THREE)).probabilities(noise()), expected)


def two_inputs() -> keras.Model:
    images = [keras.Input((16, 20, 3)), keras.Input((16, 20, 3))]
    return keras.Model(images, layers.Dense(3)(POOL()(layers.Add()(images))))


def two_outputs() -> keras.Model:
    image = keras.Input((16, 20, 3))
    return keras.Model(image, [layers.Dense(3)(POOL()(image)), layers.Dense(3)(POOL()(image))])


def flat(*shape: int) -> keras.Model:
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])


def channels_first() -> keras.Model:
    return keras.Sequential([keras.Input((3, 16, 20)), layers.Conv2D(4, 3, data_format="channels_first")])


def one_at_a_time() -> keras.Model:
    image = keras.Input((16, 20, 3), batch_size=1)
    return keras.Model(image, layers.Dense(3)(keras.ops.reshape(image, (1, -1))))


MISFITS: dict[str, tuple[Callable[[], keras.Model], dict[str, Any], str]] = {
    "two inputs": (two_inputs, {}, "takes 2 inputs"),
    "two outputs": (two_outputs, {}, "has 2 outputs"),
    "a map": (lambda: keras.Sequential([keras.Input((16, 20, 3)), layers.Conv2D(3, 3)]), {}, r"returns \[any, 14, 18, 3\]"),
    "a few numbers": (lambda: flat(16), {}, r"takes \[any, 16\] instead of images"),
    "a row that is no square": (lambda: flat(320), {}, r"takes 320 numbers in a row, .* size with --imgsz"),
    "a row of another size": (lambda: flat(784), {"imgsz": (16, 20)}, r"784 numbers .* --imgsz 20x16 has 1 or 3 times 320"),
    "a sequence": (lambda: flat(28, 3), {}, r"takes \[any, 28, 3\] instead of images"),
    "channels first": (lambda: flat(3, 16, 20), {}, r"takes \[any, 3, 16, 20\] instead of images .* Permute layer in front"),
    "layers with channels first": (channels_first, {}, r"takes \[any, 3, 16, 20\] .* build it with channels_last"),
    "one image at a time": (one_at_a_time, {}, "returns 1 row for any number of images"),
    "any size": (
        lambda: body(layers.Dense(3), shape=(None, None, 3)),
        {},
        "any size; .* --imgsz",
    ),
    "another size": (lambda: flat(16, 20, 3), {"imgsz": (16, 16)}, r"--imgsz 16 .*\[16, 20\]"),
    "one class short": (lambda: flat(16, 20, 3), {"classes": TWO}, r"has 3 outputs, .* 2 \(no, yes\)"),
    "one output": (lambda: body(layers.Dense(1)), {}, "has 1 output, which stands for two classes, .* 3 "),
    "grey by colours": (lambda: flat(16, 20, 1), {"scale": "caffe"}, "needs colour"),
}


@pytest.mark.parametrize(("make", "options", "keywords"), MISFITS.values(), ids=MISFITS)
def test_a_model_that_is_not_an_image_classifier_is_refused(
    save: Save, make: Callable[[], keras.Model], options: dict[str, Any], keywords: str
) -> None:
    with pytest.raises(EdgeclfError, match=keywords):
        attach_card(save(make()), ExternalModel(**{"classes": THREE} | options))


def test_a_batch_of_one_that_only_the_input_asks_for_is_no_limit(save: Save) -> None:
    image = keras.Input((16, 20, 3), batch_size=1)
    network = keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(image)))
    assert attach_card(save(network), ExternalModel(THREE)).probabilities(noise()).shape == (5, 3)


ROWS: dict[str, tuple[tuple[int, ...], tuple[int, int] | None, tuple[int, int, int]]] = {
    "no channel": ((28, 28), None, (28, 28, 1)),
    "no channel, not square": ((16, 20), None, (16, 20, 1)),
    "grey row": ((784,), None, (28, 28, 1)),
    "colour row": ((3072,), None, (32, 32, 3)),
    "grey row of a size": ((320,), (16, 20), (16, 20, 1)),
    "colour row of a size": ((960,), (16, 20), (16, 20, 3)),
}


@pytest.mark.parametrize(("given", "imgsz", "shape"), ROWS.values(), ids=ROWS)
def test_pixels_without_a_channel_or_in_a_row_keep_their_order(
    save: Save, given: tuple[int, ...], imgsz: tuple[int, int] | None, shape: tuple[int, int, int]
) -> None:
    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.Input(given), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model = attach_card(save(network), ExternalModel(THREE, scale="1/255", imgsz=imgsz))
    assert model.card.preprocess.shape == shape
    expected = network.predict_on_batch(noise(shape).reshape(-1, *given).astype(np.float32) / 255)
    np.testing.assert_allclose(model.probabilities(noise(shape)), expected, atol=1e-6)


def test_a_row_of_numbers_says_which_image_it_is_taken_for(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    network = keras.Sequential([keras.Input((784,)), layers.Dense(3, activation="softmax")])
    attach_card(save(network), ExternalModel(THREE))
    assert "its 784 numbers are taken for grey images of 28x28; otherwise give --imgsz" in capsys.readouterr().err
    attach_card(save(network), ExternalModel(THREE, imgsz=(28, 28)))
    assert "taken for" not in capsys.readouterr().err


def test_a_network_that_cannot_run_is_refused_with_the_reason(save: Save) -> None:
    image = keras.Input((16, 20, 3))
    x = layers.Conv2D(4, 3, data_format="channels_first")(layers.Permute((3, 1, 2))(image))
    network = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    skip_if_it_runs(network)
    path = save(network)
    with pytest.raises(
        ModelError, match=r"^[^\n]*model.keras cannot be run by TensorFlow [^\n]*NHWC[^\n]*channels_last[^\n]*$"
    ):
        attach_card(path, ExternalModel(THREE))


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
        ({"scale": "255"}, "--scale cannot be '255'; did you mean 1/255"),
        ({"head": "linear"}, "--head cannot be 'linear'; choose from auto"),
        ({"resize": "cubic"}, "resize cannot be 'cubic'; did you mean"),
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
