"""Which network should you train? The default, our CNN and the five tutorials on the same images, each by its own recipe.

`python -m edgeclf.benchmarks.networks [DATA]`: your labelled images, or the solar cells. Takes hours on a laptop with
all networks; `--only` selects some.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

app = command_app()

NETWORKS = {
    "efficientnet-lite0": (),
    "cnn": ("--model", "cnn"),
    **{name: ("--recipe", name) for name in ("boolean", "intro", "dogs-vs-cats", "homer-bart", "elephants-cars")},
}


@app.command()
def networks(
    data: Annotated[Path | None, typer.Argument(help="Labelled images.", show_default="the solar cells")] = None,
    only: Annotated[str, typer.Option(help="Names of networks, separated by commas.")] = ",".join(NETWORKS),
    options: Annotated[str, typer.Option(help="More options for every clf-train, separated by spaces.")] = "",
) -> None:
    """Train, print the table, and write it to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as folder:
        from edgeclf.benchmarks.results import publish_section, table
        from edgeclf.benchmarks.solar_cells import make_folders

        if data is None:
            data = Path(folder) / "solar-cells"
            make_folders(data)
        rows = []
        for name in only.split(","):
            metrics = train(data, Path(folder) / name, [*NETWORKS[name], *options.split()])
            rows.append((name, *_cells(metrics)))
            note(" | ".join(rows[-1]))
        columns = ("network", "parameters", "test accuracy", "95 % interval", "balanced accuracy", "best epoch", "seconds")
        majority = f"Always the most frequent class: {metrics['test']['majority_share']:.1%}; by chance, balanced: "
        chance = f"{1 / len(metrics['test']['by_class']):.1%}.\n"
        text = (
            f"Each trained on {data.name} by its own recipe, seed 0.\n\n" + table(columns, rows) + "\n" + majority + chance
        )
        publish_section(f"Networks on {data.name}", "edgeclf.benchmarks.networks", text)
        print_data(text)


def train(data: Path, folder: Path, options: list[str]) -> dict[str, Any]:
    """Run `clf-train` as a user does. Returns its metrics."""
    command = [str(Path(sys.executable).with_name("clf-train")), str(data), "-o", str(folder), "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False)
    if done.returncode:
        raise EdgeclfError(f"clf-train {' '.join(options)} failed with exit code {done.returncode}")
    metrics: dict[str, Any] = json.loads(done.stdout)
    return metrics


def _cells(metrics: dict[str, Any]) -> tuple[str, ...]:
    test = metrics["test"]
    low, high = test["accuracy_95_interval"]
    return (
        f"{metrics['parameters']:,}",
        f"{test['accuracy']:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{test['balanced_accuracy']:.1%}",
        f"{metrics['best_epoch']} of {metrics['epochs']}",
        f"{metrics['seconds']:.0f}",
    )


if __name__ == "__main__":
    app()
