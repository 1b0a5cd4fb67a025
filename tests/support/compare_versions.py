"""Two versions of edgeclf on the same inputs: rows, journals, JSON, files and exit codes of every command.

    python -m tests.support.compare_versions OLD_BIN NEW_BIN [FOLDER]

OLD_BIN and NEW_BIN are the `bin` folders of two environments. Images in FOLDER are added to the generated ones. For a
change that should change no behaviour: it prints what differs, and exits with 1 if anything does. Times and rates
are left out. `RENAMED_FLAGS` and `RENAMED_KEY_PARTS` say what has another name in the new version.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from tests.support.drawings import CLASSES, draw, write_images
from tests.support.encodings import ENCODINGS, noisy

RENAMED_FLAGS = {"--topk all": "--all-scores", "--no-journal": "--no-resume", "--sources-moved": "--resume"}
RENAMED_KEY_PARTS = {"pictures": "images"}
UNSTABLE = re.compile(
    r"time|seconds|_s$|_ms$|rate|elapsed|created|versions|memory|sha256|bytes|saved|python|ship|because|trade|date|load|latency",
    re.IGNORECASE,
)
PROSE = ("detail", "notes", "message", "origin", "data", "verified_on", "run", "setting", "session", "remark")
"""Fields for people, whose words may change."""


@dataclass
class Version:
    """One installed version, and the folder that its commands run in."""

    bin: Path
    folder: Path
    is_old: bool

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        if self.is_old:
            for new, old in RENAMED_FLAGS.items():
                line = line.replace(new, old)
        command, *arguments = line.split()
        environment = os.environ | {"NO_COLOR": "1", "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(
            [self.bin / command, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
        )


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """What a results file or a journal holds, without times, in a form that can be compared."""
    text = (folder / name).read_text("utf-8", "surrogateescape").replace(str(folder), "")
    if name.endswith(".csv"):
        return [stable(row) for row in csv.DictReader(text.splitlines())]
    return [stable(json.loads(line)) for line in text.splitlines()]


def new_name(key: str) -> str:
    for old, new in RENAMED_KEY_PARTS.items():
        key = key.replace(old, new)
    return key


def stable(value: Any) -> Any:
    """Plain values without what differs from run to run, keys under their new names."""
    if isinstance(value, dict):
        kept = {new_name(key): stable(one) for key, one in value.items() if not UNSTABLE.search(key)}
        return {key: one for key, one in kept.items() if key not in PROSE}
    if isinstance(value, list):
        return [stable(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


def output(done: subprocess.CompletedProcess[str], _: Path) -> Any:
    """The JSON on stdout."""
    return stable(json.loads(done.stdout)) if done.stdout.startswith(("{", "[")) else done.stdout


def files(*names: str) -> Callable[[subprocess.CompletedProcess[str], Path], Any]:
    return lambda _, folder: {name: rows(folder, name) for name in names}


def tree(name: str) -> Callable[[subprocess.CompletedProcess[str], Path], Any]:
    return lambda _, folder: sorted(str(path.relative_to(folder)) for path in (folder / name).rglob("*"))


def keys(done: subprocess.CompletedProcess[str], _: Path) -> Any:
    return sorted(stable(json.loads(done.stdout)))


def code_only(done: subprocess.CompletedProcess[str], _: Path) -> Any:
    return len(done.stderr.strip().splitlines()) > 0


SORT = "clf-run TFLITE -s shapes -o sorted.csv --conf 0.9 --sort copy --sort-dir sorted --workers 1 -b 4"

SCENARIOS: list[tuple[str, Callable[[subprocess.CompletedProcess[str], Path], Any]]] = [
    ("clf-train shapes --model cnn --imgsz 32 --epochs 3 -o run --json", output),
    ("clf-train evaluate run/model.keras shapes --json", output),
    ("clf-check shapes --json", output),
    ("clf-export run/model.keras --all -o all --json", output),
    ("clf-inspect run/model.keras --json", output),
    ("clf-inspect MODEL --json", output),
    ("clf-inspect TFLITE --json", output),
    ("clf-run MODEL -s odd -o odd.csv", files("odd.csv", "odd.csv.journal")),
    ("clf-run MODEL -s odd -o odd.csv", files("odd.csv", "odd.csv.journal")),
    ("clf-run MODEL -s odd -o odd.jsonl --topk all --verify strict", files("odd.jsonl", "odd.jsonl.journal")),
    ("clf-run TFLITE -s shapes -s odd.zip -o two.jsonl --topk 2 --workers 2 -b 4", files("two.jsonl", "two.jsonl.journal")),
    (SORT, files("sorted.csv.journal")),
    (SORT, tree("sorted")),
    ("clf-run undo sorted.csv.journal", tree("sorted")),
    ("clf-run MODEL -s clip.mkv -o clip.jsonl", files("clip.jsonl", "clip.jsonl.journal")),
    ("clf-run MODEL -s clip.mkv -o every.csv --every 1s", files("every.csv")),
    ("clf-run MODEL -s clip.mkv -o stride.csv --vid-stride 7", files("stride.csv")),
    ("clf-run MODEL -s clip.mkv -o live.jsonl --rows all --smooth 3 --conf 0.6", files("live.jsonl")),
    ("clf-run MODEL -s odd.zip -o zip.csv", files("zip.csv")),
    ("clf-run MODEL -s @list.txt -o list.csv", files("list.csv")),
    ("clf-run MODEL -s shapes/*/*1.png -o pattern.csv", files("pattern.csv")),
    ("clf-run MODEL -s shapes -o parquet.parquet", code_only),
    ("clf-run MODEL -s shapes -o failing.csv --no-journal --max-failures 0", code_only),
    ("clf-bench MODEL --data shapes --rounds 1 --seconds 0.1 --json", keys),
    *((line, code_only) for line in (
        "clf-run MODEL -s nothing -o x.csv",
        "clf-run nothing.onnx -s shapes",
        "clf-run MODEL -s shapes --device cuda",
        "clf-run MODEL -s webcam",
        "clf-run MODEL -s shapes -o nowhere/x.csv",
        "clf-run MODEL -s shapes --conf 2",
        "clf-run MODEL -s shapes --sort copy",
        "clf-run MODEL -s empty",
        "clf-train empty",
        "clf-train shapes --recipe nothing",
        "clf-export MODEL",
        "clf-check nothing",
        "clf-inspect odd.zip",
        "clf-bench nothing.onnx",
    )),
]  # fmt: skip


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(old: str, new: str, *more: str) -> int:
    with TemporaryDirectory() as name:
        inputs = Path(name) / "inputs"
        make_inputs(inputs, [Path(folder) for folder in more])
        versions = [
            Version(Path(bin_).resolve(), Path(name) / each, each == "old") for bin_, each in ((old, "old"), (new, "new"))
        ]
        for version in versions:
            shutil.copytree(inputs, version.folder, symlinks=True, copy_function=shutil.copy2)
        differences = sum(compare(line, look, versions) for line, look in SCENARIOS)
    say(f"{len(SCENARIOS)} commands, {differences} with differences")
    return min(differences, 1)


def make_inputs(folder: Path, more: Iterable[Path]) -> None:
    write_images(folder / "shapes", 30)
    odd = folder / "odd"
    odd.mkdir()
    for number, encode in enumerate(ENCODINGS.values()):
        data = encode(noisy())
        (odd / f"{number:02}.png").write_bytes(data)
        (odd / f"{number:02}-cut.png").write_bytes(data[: len(data) * 2 // 3])
    (odd / "empty.png").touch()
    (odd / "text.jpg").write_text("no image")
    for number, source in enumerate(more):
        shutil.copytree(source, odd / f"more{number}")
    with zipfile.ZipFile(folder / "odd.zip", "w") as archive:
        for path in sorted(odd.iterdir()):
            if path.is_file():
                archive.write(path, path.name)
    (folder / "empty").mkdir()
    (folder / "list.txt").write_text("shapes/disc/disc000.png\nmissing.png\nodd/empty.png\n")
    video = cv2.VideoWriter(str(folder / "clip.mkv"), cv2.VideoWriter.fourcc(*"FFV1"), 10, (64, 48))
    for seed in range(40):
        video.write(cv2.cvtColor(draw(CLASSES[seed // 5 % 2], seed), cv2.COLOR_RGB2BGR))
    video.release()
    from tests.support.trained_run import KEPT_RUN

    shutil.copytree(KEPT_RUN, folder / "kept")


def compare(line: str, look: Callable[[subprocess.CompletedProcess[str], Path], Any], versions: list[Version]) -> bool:
    line = line.replace("MODEL", "kept/model.onnx").replace("TFLITE", "kept/model.int8.tflite")
    seen, ran = [], [version.run(line) for version in versions]
    for version, done in zip(versions, ran, strict=True):
        try:
            seen.append((done.returncode, look(done, version.folder)))
        except (OSError, ValueError) as error:
            seen.append((done.returncode, f"{type(error).__name__}: {error}: {done.stderr[-500:]}"))
    same = seen[0] == seen[1]
    say(f"{'same     ' if same else 'DIFFERENT'}  exit {seen[0][0]}  {line}")
    for version, (code, _), done in zip(("old", "new"), seen, ran, strict=True):
        if code != seen[1 - ("old", "new").index(version)][0]:
            say(f"    {version}: exit {code}: {done.stderr.strip()[-300:]}")
    for old, new in [] if same else list(changes(*seen))[:12]:
        say(f"    - {old}\n    + {new}")
    return not same


def changes(old: Any, new: Any, at: str = "") -> Iterable[tuple[str, str]]:
    """The innermost values that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from changes(old.get(key, "(nothing)"), new.get(key, "(nothing)"), f"{at}.{key}")
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from changes(*pair, f"{at}[{number}]")
    elif old != new:
        yield f"{at} {str(old)[:300]}", f"{at} {str(new)[:300]}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
