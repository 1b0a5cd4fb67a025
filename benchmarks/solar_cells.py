"""The solar cells of the PyPI package `elpv-dataset` as folders of labelled images.

2,624 photographs, 300 x 300 grey, by Deitsch et al. (2019), https://doi.org/10.1016/j.solener.2019.02.067, CC BY-NC-SA 4.0:
they are copied from the installed package to the user's folder, never into this project.
"""

import importlib.util
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np

DEFECTIVE_FROM = 0.5
"""The lowest defect probability of a defective cell. The experts gave 0, 1/3, 2/3 or 1."""
TEST_SHARE = 0.25
"""As in the paper, which does not list the files of its split; ours is another one."""
VAL_SHARE = 0.1


def make_folders(target: Path, seed: int = 0) -> dict[str, int]:
    """Copy the cells to `target/{train,val,test}/{functional,defective}` and return the number in each split.

    Stratified by label and by kind of cell (mono- or polycrystalline). Deterministic for a given seed.
    Raises ModuleNotFoundError if `elpv-dataset` is not installed.
    """
    package = importlib.util.find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("elpv_dataset", name="elpv_dataset")
    images = Path(package.origin).parent / "data"
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in (images / "labels.csv").read_text().splitlines():
        name, probability, kind = line.split()
        strata["defective" if float(probability) >= DEFECTIVE_FROM else "functional", kind].append(name)
    rng = np.random.default_rng(seed)
    counts = {"train": 0, "val": 0, "test": 0}
    seen = 0
    for (label, _), names in sorted(strata.items()):
        tested, validated = (_due(share, seen, len(names)) for share in (TEST_SHARE, VAL_SHARE))
        seen += len(names)
        for index, name in enumerate(rng.permutation(sorted(names))):
            split = "test" if index < tested else "val" if index < tested + validated else "train"
            folder = target / split / label
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(images / name, folder / Path(name).name)
            counts[split] += 1
    return counts


def _due(share: float, seen: int, count: int) -> int:
    """How many of the next `count` cells belong to a split, so that the total over all strata is exact."""
    return round((seen + count) * share) - round(seen * share)
