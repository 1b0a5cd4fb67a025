"""Mistakes in options, files and images are reported before TensorFlow is loaded, which takes seconds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_architecture import SCRIPTS

TRAIN = [
    ("clf-train nofolder", "nofolder does not exist"),
    ("clf-train nofile.zip", "nofile.zip"),
    ("clf-train IMAGES --imgsz x", "--imgsz .*'x'"),
    ("clf-train IMAGES --model cnn --imgsz 8", "at least 32 pixels, not 8"),
    ("clf-train IMAGES --model resnet5O", "no network 'resnet5O'; did you mean"),
    ("clf-train IMAGES --model xception --imgsz 48", "Xception needs images of at least 71 pixels"),
    ("clf-train IMAGES --lr -1", "learning-rate must be above 0"),
    ("clf-train IMAGES --rotation 200", "rotation must be from 0 to 180"),
    ("clf-train IMAGES --weights absent.h5", "no file absent.h5"),
    ("clf-train IMAGES -o RUN", "already holds a model.keras"),
    ("clf-train empty", "fewer than two"),
    ("clf-train one", r"fewer than two class folders .*\(disc\)"),
    ("clf-train leaky", "60 images are in .*--drop-leaks"),
    ("clf-train nofolder --preview-augment sheet", "nofolder does not exist"),
    ("clf-train --resume empty", "empty holds no training to resume"),
    ("clf-train IMAGES --unlabelled empty", "--unlabelled empty needs .*--teacher"),
    ("clf-train IMAGES --teacher absent.onnx", "absent.onnx does not exist"),
    ("clf-train IMAGES --teacher damaged.keras", "damaged.keras"),
    ("clf-train cats --teacher RUN", "does not know 'cat' and the images have none of 'square'"),
    ("clf-train IMAGES --teacher RUN --unlabelled IMAGES", "is the folder of labelled images"),
    ("clf-train IMAGES --teacher RUN --unlabelled empty", "empty holds no images"),
    ("clf-train IMAGES --teacher RUN --folds 3", "--folds does not go with --teacher"),
    ("clf-train IMAGES --folds 40", "class disc holds 30 images, too few for --folds 40; .*or pass --folds 30"),
    ("clf-train IMAGES --teacher RUN --class-weight auto", "--class-weight auto does not go with --teacher"),
    ("clf-train evaluate RUN/model.keras nofolder", "nofolder does not exist"),
    ("clf-train evaluate absent.keras IMAGES", "absent.keras does not exist"),
    ("clf-train evaluate damaged.keras IMAGES", "damaged.keras"),
]
OTHERS = [
    ("clf-export absent.keras", "absent.keras does not exist"),
    ("clf-export damaged.keras", "damaged.keras"),
    ("clf-export RUN/model.keras --quantize fp99", "cannot export 'fp99'"),
    ("clf-export RUN/model.keras --opset 99", "opset must be"),
    ("clf-export RUN/model.keras --data nofolder", "nofolder does not exist"),
    ("clf-export RUN/model.keras --data nofile.zip", "nofile.zip does not exist"),
    ("clf-export RUN/model.keras --scale 1/255", "carries a model card"),
    ("clf-export RUN/model.keras --quantize fp32 -o foreign", "model.onnx exists already"),
    ("clf-export check RUN/model.onnx --against absent.keras", "absent.keras does not exist"),
    ("clf-check nofolder", "nofolder does not exist"),
    ("clf-check one", "only one class folder"),
    ("clf-bench absent.onnx", "absent.onnx"),
    ("clf-bench RUN/model.keras RUN/model.onnx --data nofolder", "nofolder does not exist"),
    ("clf-bench RUN/model.onnx --against absent.keras", "absent.keras does not exist"),
    ("clf-bench RUN/model.onnx --against RUN/model.keras --baseline absent.json", "absent.json"),
]


@pytest.fixture(scope="module")
def place(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data sets and files that have something wrong with them."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "model.onnx").write_bytes(b"valuable")
    (folder / "damaged.keras").write_bytes(b"PK")
    shutil.copytree(image_folder / "disc", folder / "one" / "disc")
    shutil.copytree(image_folder / "disc", folder / "cats" / "disc")
    shutil.copytree(image_folder / "square", folder / "cats" / "cat")
    for split in ("train", "test"):
        shutil.copytree(image_folder, folder / "leaky" / split)
    return folder


@pytest.mark.parametrize(("line", "error"), [*TRAIN, *OTHERS], ids=lambda value: value if value.startswith("clf-") else "")
def test_a_mistake_is_reported_without_tensorflow(
    line: str, error: str, place: Path, run_folder: Path, image_folder: Path
) -> None:
    words = line.replace("RUN", str(run_folder)).replace("IMAGES", str(image_folder)).split()
    module, function = SCRIPTS[words[0]].split(":")
    script = (
        "import importlib, sys\n"
        f"sys.argv = {words!r}\n"
        "try:\n"
        f"    importlib.import_module({module!r}).{function}()\n"
        "except SystemExit as end:\n"
        "    print(end.code, sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=place, capture_output=True, text=True, check=False, timeout=60)

    assert re.search(f"^error: .*{error}", done.stderr, re.MULTILINE), done.stderr
    assert done.stdout == "2 []\n"
    assert not (place / "runs").exists()
