"""From the options of `clf-train` to what the library trains: images and their splits, preprocessing, recipe."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.run_folder import model_in_run
from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.console import note, parse_duration, parse_size
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.reading import AS_USUAL, Reading
from edgeclf.train.data.splitting import Splitting, parse_shares
from edgeclf.train.networks.architectures import ConvNet, FlatNet, Network
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.options import AugmentationOptions, NetworkOptions, SplitOptions, TrainingOptions, TrainOptions
from edgeclf.train.recipes import PRESETS, Preset, Recipe, transfer
from edgeclf.train.teaching import Teaching

DEFAULT_MODEL = "efficientnet-lite0"


@dataclass(frozen=True)
class TrainingConfig:
    """The images in `data`, how they are preprocessed and split, and what is trained on them.

    Without `splitting`, the default shares are split with the recipe's seed. corrections: see `corrected`.
    """

    data: Path
    preprocess: Preprocess
    recipe: Recipe
    splitting: Splitting | None = None
    reading: Reading = AS_USUAL
    teaching: Teaching | None = None
    corrections: Path | None = None


def configure(options: TrainOptions) -> TrainingConfig:
    """The named recipe with the given options on top of it. Raises OptionError for options that do not fit together."""
    if options.data is None:
        raise OptionError("the images to train on are missing; name them: clf-train DATA")
    network, seed = options.network, options.training.seed
    preset = _preset(network)
    size_hw = parse_size(network.imgsz) if network.imgsz else preset.size_hw
    channels, ground = 1 if network.grey else 3, network.ground
    preprocess = Preprocess(size_hw, channels, network.resize, network.fit, ground)  # type: ignore[arg-type]
    recipe, splitting = _recipe(preset.recipe, options), _splitting(preset, options.splits, seed)
    recipe.network.check(preprocess.shape)
    return TrainingConfig(
        options.data,
        preprocess,
        recipe,
        splitting,
        reading=options.reading,
        teaching=_teaching(options),
        corrections=options.splits.corrections,
    )


def _preset(options: NetworkOptions) -> Preset:
    if options.recipe is not None:
        require_choice("--recipe", options.recipe, PRESETS)
        if options.model not in (None, "cnn"):
            raise OptionError(f"--recipe {options.recipe} brings its own network; leave out --model {options.model}")
        return PRESETS[options.recipe]
    if options.model == "cnn":
        return PRESETS["cnn"]
    return transfer(Backbone(options.model or DEFAULT_MODEL, options.weights or "imagenet"))


def _splitting(preset: Preset, options: SplitOptions, seed: int) -> Splitting:
    if options.corrections and options.limit:
        problem = f"--limit {options.limit} leaves out images, and --corrections would learn from them as new ones"
        raise OptionError(f"{problem}; leave one of both out")
    return Splitting(
        shares=parse_shares(options.split) if options.split else preset.shares,
        by=options.split_by,
        val=options.val,
        test=options.test,
        limit=options.limit,
        seed=seed,
        folds=options.folds or 0,
    )


def _teaching(options: TrainOptions) -> Teaching | None:
    given = options.teaching
    if given.teacher is None:
        if given.unlabelled is not None:
            raise OptionError(
                f"--unlabelled {given.unlabelled} needs a model that labels these images; name it with --teacher"
            )
        return None
    if options.splits.folds:
        raise OptionError("--folds does not go with --teacher, which knows the images of every fold; leave one of them out")
    if options.training.class_weight == "auto":
        raise OptionError("--class-weight auto does not go with --teacher; train the teacher with it, and leave it out here")
    labelled = [path.resolve() for path in (options.data, options.splits.val, options.splits.test) if path]
    if given.unlabelled and given.unlabelled.resolve() in labelled:
        raise OptionError(f"--unlabelled {given.unlabelled} is the folder of labelled images; name a folder of others")
    splits = replace(options.splits, drop_leaks=False, allow_leakage=False, corrections=None)
    return Teaching(model_in_run(given.teacher), given.unlabelled, takes_split=splits == SplitOptions())


def _recipe(recipe: Recipe, options: TrainOptions) -> Recipe:
    training = options.training
    _check_training(training, recipe.network)
    given = _given(
        epochs=training.epochs,
        batch=training.batch,
        optimizer=training.optimizer,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        patience=training.patience,
        fine_tune=training.fine_tune,
        time_s=_time_limit(training.time) if training.time else None,
    )
    return replace(
        recipe,
        **given,
        network=_network(recipe.network, options.network),
        augmentation=_augmentation(recipe.augmentation, options.augmentation),
        balance=training.class_weight == "auto",
        mixed_precision=training.mixed_precision,
        seed=training.seed,
    )


def _time_limit(text: str) -> float:
    """Seconds. A bare number is minutes, as in other tools."""
    if not text.strip().isdecimal():
        return parse_duration("--time", text)
    note(f"--time {text} is taken as {plural(int(text), 'minute')}; write {text}s for seconds or {text}h for hours")
    return parse_duration("--time", f"{text.strip()}m")


def _check_training(options: TrainingOptions, network: Network) -> None:
    require_choice("--class-weight", options.class_weight, ("auto", "none"))
    if options.fine_tune and not isinstance(network, Backbone):
        raise OptionError("--fine-tune is for pretrained networks, and this recipe has none; leave it out")


def _network(network: Network, options: NetworkOptions) -> Network:
    filters, dense = _whole_numbers("filters", options.filters), _whole_numbers("dense", options.dense)
    if isinstance(network, ConvNet | FlatNet):
        _refuse("pretrained networks, such as --model efficientnet-lite0", weights=options.weights)
        return replace(network, **_given(filters=filters, dense=dense, dropout=options.dropout))
    _refuse("--model cnn and the recipes", filters=filters, dense=dense)
    return replace(network, **_given(weights=options.weights, dropout=options.dropout))  # type: ignore[type-var]


def _augmentation(augmentation: Augmentation, options: AugmentationOptions) -> Augmentation:
    given = _given(
        rotation=options.rotation,
        width_shift=options.translate if options.width_shift is None else options.width_shift,
        height_shift=options.translate if options.height_shift is None else options.height_shift,
        shear=options.shear,
        zoom=options.zoom,
        horizontal_flip=options.horizontal_flip,
        vertical_flip=options.vertical_flip,
        brightness=options.brightness,
        contrast=options.contrast,
        fill=options.fill_mode,
    )
    return replace(augmentation if options.augment else Augmentation(), **given)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _refuse(owner: str, **options: object) -> None:
    """Raises OptionError for the first option that was given: it is for another kind of network."""
    for name in _given(**options):
        raise OptionError(f"--{name} does not go with this network; it is for {owner}")


def _whole_numbers(name: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise OptionError(f"--{name} takes whole numbers separated by commas, not {text!r}") from None
