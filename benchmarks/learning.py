"""From labelled images to verified files: what each stage takes, and how accurate the result is, against others.

`python -m edgeclf.benchmarks.learning [DATA ...] --against ../older/.venv/bin`: this version's commands, another
version's, and the script of the Keras guide learn from the same splits, in turns. Takes hours.
"""

import itertools
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

if TYPE_CHECKING:
    from edgeclf.benchmarks.learners import Learned, Learner
    from edgeclf.train.data.dataset import Dataset

app = command_app()

OURS, GUIDE = "this version", "Keras guide"
EXPLAINED = """\
Means over the seeds {seeds}, each with its own split where the images have none. Seconds by the clock, from the start of
clf-train to the last exported file; those of all cores beside them. The accuracy is that of the exported ONNX file (Keras
guide: of the network) on the test images. Its interval is Wilson's with one seed, and Student's t with several.

"""
PAIRS = """\
Paired differences: points more of the first, with the 95 % interval over the seeds, and on how many test images the first is
right in more seeds than the second, and in fewer. p: McNemar's exact test of these two counts.

"""


@app.command()
def learning(
    data: Annotated[
        list[Path] | None, typer.Argument(help="Labelled images.", show_default="the solar cells and generated fabrics")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    against: Annotated[Path | None, typer.Option(help="The folder with another version's commands.")] = None,
    options: Annotated[str, typer.Option(help="More options for every clf-train, separated by spaces.")] = "",
    backbone: Annotated[
        str, typer.Option(help="The Keras guide's backbone; none leaves the guide out.")
    ] = "efficientnet-lite0",
    side: Annotated[int, typer.Option(help="Side of the images of the Keras guide.")] = 256,
) -> None:
    """Train, export, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.benchmarks.results import publish_section

        numbers = parse_seeds(seeds)
        learners = _learners(against, tuple(options.split()), backbone, side)
        text = EXPLAINED.format(seeds=", ".join(map(str, numbers)))
        for place, images in enumerate(data or _usual_sets(Path(name))):
            text += _of_one_set(images, Path(name) / str(place), learners, numbers)
        publish_section("From images to verified files", "edgeclf.benchmarks.learning", text)
        print_data(text)


def parse_seeds(text: str) -> list[int]:
    """
    >>> parse_seeds("0,2")
    [0, 2]
    """
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise OptionError(f"--seeds takes numbers separated by commas, such as 0,1,2, not {text!r}") from None


def _learners(against: Path | None, options: tuple[str, ...], backbone: str, side: int) -> "dict[str, Learner]":
    import sys

    from edgeclf.benchmarks.learners import Commands, KerasGuide

    learners: dict[str, Learner] = {OURS: Commands(Path(sys.executable).parent, options)}
    if against is not None:
        learners[str(against)] = Commands(against, options)
    if backbone != "none":
        learners[GUIDE] = KerasGuide(backbone, side)
    return learners


def _usual_sets(folder: Path) -> list[Path]:
    from edgeclf.benchmarks.fabrics import write_fabrics
    from edgeclf.benchmarks.solar_cells import make_folders

    make_folders(folder / "solar-cells")
    write_fabrics(folder / "fabrics", 400)
    return [folder / "solar-cells", folder / "fabrics"]


def _of_one_set(images: Path, folder: Path, learners: "Mapping[str, Learner]", seeds: Sequence[int]) -> str:
    """The tables of one set of images."""
    from edgeclf.benchmarks.interleaving import interleaved_rounds
    from edgeclf.benchmarks.learners import TEST_IMAGES, copy_test_images
    from edgeclf.train.data.dataset import scan, write_split
    from edgeclf.train.data.splitting import Splitting

    learned: dict[str, list[Learned]] = {name: [] for name in learners}
    tested = []
    for seed, order in zip(seeds, interleaved_rounds(tuple(learners), len(seeds)), strict=True):
        data: Dataset = scan(images, Splitting(seed=seed))
        tested.append(data.test.paths)
        for name in order:
            note(f"{images.name}, seed {seed}: {name} ...")
            with tempfile.TemporaryDirectory(dir=folder.parent) as place:
                write_split(data, Path(place) / "split.csv")
                copy_test_images(data, Path(place) / TEST_IMAGES)
                learned[name].append(learners[name].learn(Path(place), data, seed))
    return report(images.name, learned, tested)


def report(title: str, learned: "Mapping[str, Sequence[Learned]]", tested: Sequence[Sequence[str]]) -> str:
    """A table of the learners and one of their pairs. tested: the paths of the test images of each seed."""
    from edgeclf.benchmarks.learners import STAGES
    from edgeclf.benchmarks.paired import chance, points_more, won_and_lost
    from edgeclf.benchmarks.results import table

    stages = [stage for stage in STAGES if any(stage in one.seconds for runs in learned.values() for one in runs)]
    columns = ("", *stages, "total", "all cores", "test accuracy", "95 % interval")
    text = f"### {title}\n\n" + table(columns, [(name, *_cells(runs, stages)) for name, runs in learned.items()]) + "\n"
    text += "".join(f"{name}: {one.note}.\n\n" for name, runs in learned.items() for one in runs if one.note)
    rows = []
    for (first, mine), (second, theirs) in itertools.combinations(learned.items(), 2):
        pair = [one.right for one in mine], [one.right for one in theirs]
        won, lost = won_and_lost(*pair, tested)
        rows.append((f"{first} - {second}", points_more(*pair), f"{won}", f"{lost}", f"{chance(won, lost):.3f}"))
    return text + (PAIRS + table(("pair", "points more", "images won", "lost", "p"), rows) + "\n" if rows else "")


def _cells(runs: "Sequence[Learned]", stages: Sequence[str]) -> list[str]:
    from edgeclf.train.results.intervals import mean_interval, wilson_interval

    shares = [float(one.right.mean()) for one in runs]
    interval = mean_interval(shares) if len(runs) > 1 else wilson_interval(int(runs[0].right.sum()), len(runs[0].right))
    low, high = max(0.0, interval[0]), min(1.0, interval[1])
    taken = [[one.seconds[stage] for one in runs if stage in one.seconds] for stage in stages]
    return [
        *(f"{statistics.mean(seconds):.1f}" if seconds else "" for seconds in taken),
        f"{statistics.mean(one.total for one in runs):.1f}",
        f"{statistics.mean(one.cpu for one in runs):.1f}",
        f"{statistics.mean(shares):.1%}",
        f"{low:.1%} to {high:.1%}",
    ]


if __name__ == "__main__":
    app()
