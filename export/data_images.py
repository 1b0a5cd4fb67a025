"""The images that `--data` names: some to verify, others to calibrate, with the names of their classes if they have any."""

from dataclasses import dataclass, replace
from pathlib import Path

from edgeclf.export.parity import UNLABELLED
from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.sources.folders import walk
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.class_folders import holds_images
from edgeclf.train.data.dataset import Split, as_split, find, labelled
from edgeclf.train.data.listing import class_name

NUMBERED = "no source"
"""The origin of numbers in place of class names."""
_MAX_NAMES = 3


@dataclass(frozen=True)
class DataImages:
    """data: what the user named. verify, calibrate: paths by class; under "" are images without a class."""

    data: Path
    verify: dict[str, list[str]]
    calibrate: dict[str, list[str]]

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, sorted as Keras's and torchvision's loaders sort them."""
        return tuple(sorted({*self.verify, *self.calibrate} - {""}))

    def labelled_as(self, classes: tuple[str, ...], *, optional: bool = True) -> tuple[Split, Split]:
        """The images to verify and those to calibrate, with the labels of a model that knows `classes`.

        If it knows none of the names, or there are none, every label is UNLABELLED, if labels are `optional`.
        Raises DatasetError for a name that the model does not know.
        """
        if optional and not set(self.names) & set(map(class_name, classes)):
            if self.names:
                some = ", ".join(self.names[:_MAX_NAMES]) + (" ..." if len(self.names) > _MAX_NAMES else "")
                note(f"the model knows none of the classes in {self.data} ({some}), so its images count as unlabelled")
            return _unlabelled(self.verify), _unlabelled(self.calibrate)
        verify, calibrate = (labelled(images, classes, self.data) for images in (self.verify, self.calibrate))
        return as_split(verify), as_split(calibrate)


def read_data(root: Path, data: Path, *, calibrate: bool) -> DataImages:
    """The images in `root`, the folder that `data` is or was unpacked to. Raises DatasetError if there are none.

    The `val` split verifies and the `train` split calibrates. Without splits, all images verify, or every second one if
    `calibrate` needs the others. A folder of images without class folders is fine.
    """
    found = find(root) if not root.is_dir() or not holds_images(root) else {"train": {}}
    if not any(found.values()) and root.is_dir():
        found = {"train": {"": [path for path, may_be_image in walk(str(root)) if may_be_image]}}
    if "val" in found and "train" in found:
        verify, others = found["val"], found["train"]
    else:
        everything = next(iter(found.values()))
        verify = {name: paths[::2] if calibrate else paths for name, paths in everything.items()}
        others = {name: paths[1::2] for name, paths in everything.items()}
    images = DataImages(data, verify, others)
    count = sum(map(len, verify.values()))
    if not count or (calibrate and not any(others.values())):
        raise DatasetError(f"{data} holds {plural(count, 'image')}, too few to verify a model; name some with --data DIR")
    return images


def with_classes(facts: Facts, outputs: int | None, data: DataImages) -> Facts:
    """The facts with the class folders of `--data` as the classes if no source names them, or else with numbers.

    Raises OptionError if the number of classes is not known either.
    """
    if facts.classes is not None:
        return facts
    count = 2 if outputs == 1 else outputs
    if data.names and count in (len(data.names), None):
        return replace(facts, classes=Fact(data.names, f"the class folders in {data.data}"))
    if count is None:
        raise OptionError("the model does not say how many classes it has; name them with --classes labels.txt")
    others = f" ({data.data} has {plural(len(data.names), 'class folder')})" if data.names else ""
    called = f"they are called 0 to {count - 1}; name them with --classes labels.txt"
    note(f"warning: no source names the {count:,} classes of the model{others}, so {called}")
    return replace(facts, classes=Fact(tuple(map(str, range(count))), NUMBERED))


def _unlabelled(by_class: dict[str, list[str]]) -> Split:
    return as_split([(path, UNLABELLED) for name in sorted(by_class) for path in by_class[name]])
