"""Starts an export from its options, for the command and for Python."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeclf.export.options import ExportOptions, TargetOptions
from edgeclf.runtime.errors import GateError

if TYPE_CHECKING:
    from edgeclf.export.gate import Export
    from edgeclf.runtime.model.conventions.package import ModelPackage


def start_export(model: Path, targets: TargetOptions, options: ExportOptions, output: Path | None = None) -> "Export":
    """Export a run, a Keras model or a model from another tool, by default into the folder in which it is.

    Raises as `edgeclf.export.run.export` does. A failed gate is not an exception; see `raise_if_failed`.
    """
    from edgeclf.runtime.model.conventions.package import find_model
    from edgeclf.runtime.model.formats import is_runnable

    folder = output or model.absolute().parent if model.is_dir() else output or model.parent
    with find_model(model) as package:
        if is_runnable(package.path):
            from edgeclf.export.adopt import adopt_model

            return adopt_model(package, model, folder, targets, options)
        return _export_keras(package, model, folder, targets, options)


def remember_choice(result: "Export") -> None:
    """Keep in the folder of the published files which of them to ship."""
    from edgeclf.runtime.model.run_folder import remember

    remember(result.published[0].parent / result.ship, "clf-export", compared=len(result.published))


def raise_if_failed(result: "Export", model: Path) -> None:
    """Raise GateError if no file was published."""
    if result.failed and not result.published:
        misses = next(parity.misses for parity in result.parities if parity.misses)
        raise GateError(f"{model} was not exported, because {', '.join(result.failed)} failed the gate: {misses[0]}")


def left_out(result: "Export") -> str:
    """A sentence for an export of which some files failed."""
    return f"{', '.join(result.failed)} failed the gate and was left out; the other files are published"


def _export_keras(
    package: "ModelPackage", named: Path, folder: Path, targets: TargetOptions, options: ExportOptions
) -> "Export":
    from edgeclf.export.preparation import check_export
    from edgeclf.export.targets import choose_targets
    from edgeclf.runtime.model.card import has_keras_card
    from edgeclf.runtime.model.conventions.package import package_name
    from edgeclf.train.quiet import check_installed, load_keras

    name = package_name(named)
    chosen = choose_targets(targets, is_external=not has_keras_card(package.path))
    check_export(package.path, folder, name, chosen, options)
    check_installed()
    load_keras()
    from edgeclf.export.run import export

    return export(package.path, folder, chosen, options, name=name)
