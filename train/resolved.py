"""The options of a training with every value that its recipe fills in, so that the run can be read and repeated."""

import importlib.metadata
import platform
import shlex
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from edgeclf.runtime.terminal.console import show_size
from edgeclf.runtime.terminal.notebook import in_notebook
from edgeclf.train.config import DEFAULT_MODEL, TrainingConfig
from edgeclf.train.networks.architectures import ConvNet, FlatNet, Network
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.options import AugmentationOptions, NetworkOptions, TrainOptions

_PACKAGES = ("edgeclf", "tensorflow", "keras", "numpy")


def resolve(options: TrainOptions, config: TrainingConfig) -> TrainOptions:
    """The same training, with nothing left to defaults. config: what `configure` makes of both."""
    recipe = config.recipe
    training = replace(
        options.training,
        epochs=recipe.epochs,
        batch=recipe.batch,
        optimizer=recipe.optimizer,
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        patience=recipe.patience,
        time=f"{recipe.time_s:g}s" if recipe.time_s else None,
        fine_tune=recipe.fine_tune if isinstance(recipe.network, Backbone) else None,
    )
    splits = options.splits
    if config.splitting is not None:
        splits = replace(splits, split=",".join(f"{share:g}" for share in config.splitting.shares))
    network = replace(_network(options.network, recipe.network), imgsz=show_size(config.preprocess.size_hw))
    return replace(
        options,
        network=network,
        training=training,
        augmentation=_augmentation(recipe.augmentation, options.augmentation.augment),
        splits=splits,
    )


def _network(options: NetworkOptions, network: Network) -> NetworkOptions:
    resolved = replace(options, model=options.model or (None if options.recipe else DEFAULT_MODEL))
    if isinstance(network, Backbone):
        return replace(resolved, weights=network.weights, dropout=network.dropout)
    if isinstance(network, ConvNet | FlatNet):
        filters, dense = (",".join(map(str, sizes)) for sizes in (network.filters, network.dense))
        return replace(resolved, filters=filters, dense=dense, dropout=network.dropout)
    return resolved


def _augmentation(augmentation: Augmentation, augment: bool) -> AugmentationOptions:
    """Every change by its own flag."""
    values = asdict(augmentation)
    fill = values.pop("fill")
    shares = {name: value if isinstance(value, bool) else float(value) for name, value in values.items()}
    return AugmentationOptions(augment=augment, fill_mode=fill, **shares)  # type: ignore[arg-type]


def made_with() -> dict[str, str]:
    """The command line of this process, and the versions of what trains."""
    command = "edgeclf.train in a notebook" if in_notebook() else shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    found = {"command": command, "python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
