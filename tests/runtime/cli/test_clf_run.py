"""`clf-run` as a person or a script meets it: a real process, real files, real signals."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from edgeclf.runtime import ModelCard
from edgeclf.runtime.model.digest import embed_digest
from edgeclf.runtime.results.row import COLUMNS
from edgeclf.runtime.terminal.escaping import unescape

Command = Callable[..., subprocess.CompletedProcess[str]]
BuildOnnx = Callable[..., onnx.ModelProto]
CLF_RUN = Path(sys.executable).with_name("clf-run")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def photos(tmp_path: Path, png: bytes) -> Path:
    """Three good images and a text, in the test's own folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(png)
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def odd_names(tmp_path: Path, png: bytes) -> set[bytes]:
    """Images in the folder `odd` whose names are not UTF-8, hold controls, or look like formulas."""
    names = {b"caf\xe9.png", b"two\nlines.png", b"\x1b[31mred.png", b"=1+1.png", b'"a", b.png', b"a\\nb.png", b"@x.png"}
    (tmp_path / "odd").mkdir()
    for name in names:
        with open(os.fsencode(tmp_path / "odd") + b"/" + name, "wb") as file:
            file.write(png)
    return names


def test_folder_becomes_a_row_each_and_exit_0(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "--source", "photos", "-o", "results.csv")

    rows = rows_of((photos.parent / "results.csv").read_text())
    assert (done.returncode, done.stdout) == (0, "")
    assert [(row["path"], row["status"]) for row in rows] == [(f"photos/{name}.png", "ok") for name in "abc"]
    assert "3 images in" in done.stderr
    assert "1 other files skipped" in done.stderr


@pytest.mark.parametrize("artefact", ["model.onnx", "model.int8.tflite"])
def test_trained_model_tells_the_classes_apart(
    command: Command, artefact: str, run_folder: Path, image_folder: Path
) -> None:
    done = command("clf-run", run_folder / artefact, "-s", image_folder, "--workers", "2", "--batch", "3")

    rows = rows_of(done.stdout)
    assert len(rows) == 60
    assert sum(f"/{row['label']}/" in row["path"] for row in rows) >= 57


def test_bad_images_are_rows_and_exit_1(command: Command, colour_model: Path, photos: Path) -> None:
    (photos / "a.png").write_bytes(b"")
    (photos / "b.png").write_bytes(b"text")
    (photos / "d.png").symlink_to("nowhere.png")
    os.mkfifo(photos / "e.jpg")

    done = command("clf-run", colour_model, "-s", "photos")

    assert done.returncode == 1
    assert [row["error"] or row["status"] for row in rows_of(done.stdout)] == [
        "empty",
        "not_an_image",
        "ok",
        "not_found",
        "not_a_file",
    ]


def test_json_lines_hold_every_column(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", photos / "a.png", "--json")

    row = json.loads(done.stdout)
    assert tuple(row) == COLUMNS
    assert (row["status"], row["width"], row["height"]) == ("ok", 48, 32)
    assert row["model"] == hashlib.sha256(colour_model.read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize(("flags", "count"), [([], 1), (["--topk", "2"], 2), (["--all-scores"], 3)], ids=str)
def test_as_many_classes_as_are_asked_for_best_first(
    flags: list[str], count: int, command: Command, colour_model: Path, photos: Path
) -> None:
    done = command("clf-run", colour_model, "-s", photos / "a.png", "--json", *flags)

    row = json.loads(done.stdout)
    scores = list(row["top"].values())
    assert len(scores) == count
    assert scores == sorted(scores, reverse=True)
    assert next(iter(row["top"].items())) == (row["label"], row["confidence"])


def test_an_answer_below_the_threshold_is_unsure_and_no_label(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", photos / "a.png", "--json", "--conf", "1")

    row = json.loads(done.stdout)
    assert (done.returncode, row["status"], row["label"]) == (0, "unsure", "")
    assert 0 < row["confidence"] < 1
    assert len(row["top"]) == 1
    assert "(unsure)" in done.stderr


def test_jsonl_file_is_chosen_by_its_suffix(command: Command, colour_model: Path, photos: Path) -> None:
    command("clf-run", colour_model, "-s", "photos", "-o", "results.jsonl")

    lines = (photos.parent / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["photos/a.png", "photos/b.png", "photos/c.png"]


def test_named_file_is_a_row_whatever_it_is_called(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", "photos/notes.txt")

    assert (done.returncode, rows_of(done.stdout)[0]["error"]) == (1, "not_an_image")


def test_csv_gives_every_odd_name_back(command: Command, colour_model: Path, odd_names: set[bytes]) -> None:
    done = command("clf-run", colour_model, "-s", "odd/*")

    assert done.returncode == 0
    assert {os.fsencode(unescape(row["path"])) for row in rows_of(done.stdout)} == {b"odd/" + name for name in odd_names}


def test_json_lines_give_every_odd_name_back(command: Command, colour_model: Path, odd_names: set[bytes]) -> None:
    done = command("clf-run", colour_model, "-s", "odd", "--json")

    found = {os.fsencode(json.loads(line)["path"]) for line in done.stdout.splitlines()}
    assert found == {b"odd/" + name for name in odd_names}


def test_odd_names_at_the_start_of_a_cell_are_harmless(
    command: Command, colour_model: Path, odd_names: set[bytes], tmp_path: Path
) -> None:
    done = command("clf-run", colour_model, "-s", "*", cwd=tmp_path / "odd")

    assert {os.fsencode(unescape(row["path"])) for row in rows_of(done.stdout)} == odd_names
    assert not re.search(r"(?m)^\"?[=+\-@]", done.stdout)


def test_nothing_unprintable_reaches_stdout_or_stderr(command: Command, colour_model: Path, odd_names: set[bytes]) -> None:
    done = command("clf-run", colour_model, "-s", "odd")

    assert "".join(done.stdout.splitlines()).isprintable()
    assert "".join(done.stderr.splitlines()).isprintable()


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.png", b"caf\xe9.png"], ids=["escapes", "latin-1"])
def test_odd_source_that_is_missing_is_shown_escaped(name: bytes, command: Command, colour_model: Path) -> None:
    done = command("clf-run", colour_model, "-s", os.fsdecode(name))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.removesuffix("\n").isprintable()


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.onnx", b"caf\xe9.onnx"], ids=["escapes", "latin-1"])
def test_odd_model_that_is_missing_is_shown_escaped(name: bytes, command: Command, photos: Path) -> None:
    done = command("clf-run", os.fsdecode(name), "-s", "photos")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.removesuffix("\n").isprintable()


def write_model(path: Path, model: onnx.ModelProto) -> None:
    data = model.SerializeToString()
    path.write_bytes(embed_digest(data) if model.metadata_props else data)


@pytest.fixture
def wrong_models(
    tmp_path: Path,
    run_folder: Path,
    build_onnx: BuildOnnx,
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
) -> Path:
    """The test's own folder with every kind of model that cannot be used."""
    good = (run_folder / "model.onnx").read_bytes()
    (tmp_path / "text.onnx").write_text("hello\n")
    write_model(tmp_path / "float.onnx", build_onnx(colour_weights, colour_card, TensorProto.FLOAT))
    write_model(tmp_path / "bare.onnx", build_onnx(colour_weights))
    write_model(tmp_path / "nan.onnx", build_onnx(colour_weights * np.float32(np.nan), colour_card))
    external = build_onnx(colour_weights, colour_card)
    onnx.save_model(
        external, tmp_path / "external.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    write_model(tmp_path / "external.onnx", onnx.load(tmp_path / "external.onnx", load_external_data=False))
    shutil.copy(run_folder / "model.keras", tmp_path)
    (tmp_path / "digest").mkdir()
    shutil.copy(run_folder / "SHA256SUMS", tmp_path / "digest")
    (tmp_path / "digest" / "model.onnx").write_bytes(good + b"\x00")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("missing.onnx", "cannot read the model missing.onnx"),
        ("text.onnx", "text.onnx is not an ONNX model"),
        ("float.onnx", "does not take one uint8 image batch"),
        ("bare.onnx", "--classes labels.txt --imgsz 8"),
        ("nan.onnx", "NaN or infinity"),
        ("external.onnx", "external.onnx is not an ONNX model"),
        ("model.keras", "export it first: clf-export model.keras"),
        ("digest/model.onnx", "does not match its digest in SHA256SUMS"),
    ],
)
def test_wrong_model_is_one_sentence_and_exit_2_and_no_result(
    model: str, message: str, command: Command, wrong_models: Path, photos: Path
) -> None:
    done = command("clf-run", model, "-s", "photos", "-o", "results.csv")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (wrong_models / "results.csv").exists()


def test_wrong_model_leaves_the_journal_of_an_interrupted_run(command: Command, colour_model: Path, photos: Path) -> None:
    command("clf-run", colour_model, "-s", "photos", "-o", "results.csv")
    before = (photos.parent / "results.csv.journal").read_bytes()

    assert command("clf-run", "missing.onnx", "-s", "photos", "-o", "results.csv").returncode == 2
    assert (photos.parent / "results.csv.journal").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "nowhere"], "'nowhere' does not exist"),
        (["-s", "void"], "'void' holds no images"),
        (["-s", "photos", "-o", "nowhere/results.csv"], "nowhere/results.csv: No such file or directory"),
        (["-s", "photos", "-o", "results.xlsx"], "results.xlsx ends in none of .csv .jsonl"),
        (["-s", "photos", "-o", "/dev/full"], "No space left on device"),
        (["-s", "photos", "--device", "tpu"], "device must be auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N, not 'tpu'"),
        (["-s", "photos", "--classes", "nowhere.txt"], "cannot read the classes in nowhere.txt"),
        (["-s", "photos", "--classes", "names.txt", "--imgsz", "big"], "--imgsz takes N or H,W in pixels, not 'big'"),
        (["-s", "photos", "--classes", "names.txt", "--imgsz", "9"], "takes images of [8, 8, 3]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_work_is_one_sentence_and_exit_2(
    arguments: list[str], message: str, command: Command, colour_model: Path, photos: Path
) -> None:
    (photos.parent / "void").mkdir()
    (photos.parent / "names.txt").write_text("red\ngreen\nblue\n")

    done = command("clf-run", colour_model, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_output_name_that_is_too_long_is_one_sentence(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", "photos", "-o", "x" * 300 + ".csv")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_folder_without_images_leaves_no_result(command: Command, colour_model: Path, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()

    command("clf-run", colour_model, "-s", "void", "-o", "results.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["void"]


def test_full_stdout_is_one_sentence(command: Command, colour_model: Path, photos: Path) -> None:
    line = f"{CLF_RUN} {colour_model} -s photos > /dev/full"

    done = subprocess.run(["sh", "-c", line], cwd=photos.parent, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("size", "classes"), [("8,8", " red \n\ngreen\r\nblue")])
def test_model_without_a_card_works_with_flags(
    size: str,
    classes: str,
    command: Command,
    build_onnx: BuildOnnx,
    colour_weights: NDArray[np.float32],
    photos: Path,
) -> None:
    write_model(photos.parent / "bare.onnx", build_onnx(colour_weights))
    (photos.parent / "labels.txt").write_text(classes)

    done = command("clf-run", "bare.onnx", "-s", "photos", "--classes", "labels.txt", "--imgsz", size)

    assert done.returncode == 0
    assert {row["label"] for row in rows_of(done.stdout)} <= {"red", "green", "blue"}


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has CUDA")
def test_cuda_that_is_not_there_is_exit_4(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", "photos", "--device", "cuda")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: CUDA was asked for")
    assert len(done.stderr.splitlines()) == 1


def test_litert_on_cuda_is_exit_4(command: Command, int8_model: Path, photos: Path) -> None:
    done = command("clf-run", int8_model, "-s", "photos", "--device", "cuda")

    assert (done.returncode, done.stdout) == (4, "")


@pytest.fixture
def model_places(tmp_path: Path, colour_model: Path) -> Path:
    """A model in every place where one is looked for, and another to be named."""
    for name in ("named/x.onnx", "model.onnx", "runs/old/model.onnx", "runs/new/model.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(colour_model, tmp_path / name)
    os.utime(tmp_path / "runs/old/model.onnx", (1, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("named", "absent", "taken"),
    [
        ("named/x.onnx", [], "named/x.onnx"),
        ("", [], "model.onnx"),
        ("", ["model.onnx"], "runs/new/model.onnx"),
    ],
    ids=["environment", "here", "newest-run"],
)
def test_model_is_found_and_named(
    named: str, absent: list[str], taken: str, command: Command, model_places: Path, photos: Path
) -> None:
    list(map(os.unlink, [model_places / name for name in absent]))

    done = command("clf-run", "-s", "photos", env=os.environ | {"CLF_MODEL": named})

    assert done.returncode == 0
    assert done.stderr.startswith(f"model: {taken}\n")


def test_no_model_anywhere_says_where_it_looked(command: Command, photos: Path) -> None:
    done = command("clf-run", "-s", "photos", env=os.environ | {"CLF_MODEL": ""})

    assert done.returncode == 2
    assert "none in $CLF_MODEL, ./model*.onnx or runs/*/" in done.stderr


def test_missing_engine_names_the_pip_install(fresh_python: Callable[..., str], int8_model: Path, photos: Path) -> None:
    printed = fresh_python(
        "import subprocess, sys\n"
        "script = '''\n"
        "import sys\n"
        "sys.modules['ai_edge_litert'] = None\n"
        "from edgeclf.runtime.cli.clf_run import main\n"
        "main()\n"
        "'''\n"
        "done = subprocess.run([sys.executable, '-c', script, *sys.argv[1:]], capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)",
        int8_model,
        "--source",
        photos,
    )

    assert printed.startswith("2 error: this needs ai_edge_litert, which is not installed: pip install 'edgeclf[litert]'")


@pytest.fixture
def noisy(tmp_path: Path, png: bytes) -> Path:
    """A PNG with a damaged chunk: libpng and OpenCV complain about it on stderr by themselves."""
    damaged = bytearray(png)
    damaged[damaged.index(b"IDAT") + 6] ^= 0xFF
    (tmp_path / "noisy").mkdir()
    (tmp_path / "noisy" / "x.png").write_bytes(damaged)
    return tmp_path / "noisy"


def test_noise_of_libraries_does_not_reach_stderr(command: Command, colour_model: Path, noisy: Path) -> None:
    verbose = command("clf-run", colour_model, "-s", noisy, env=os.environ | {"EDGECLF_VERBOSE": "1", "NO_COLOR": "1"})

    quiet = command("clf-run", colour_model, "-s", noisy)

    assert "libpng" in verbose.stderr
    assert [line.split()[0] for line in quiet.stderr.splitlines()] == ["class", "error:", "1"]


def test_no_colour_without_a_terminal(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", "photos", env=dict(os.environ))

    assert "\x1b" not in done.stdout + done.stderr


@pytest.fixture
def endless_photos(tmp_path: Path, png: bytes) -> Path:
    """10,000 links to one image: more than a test waits for."""
    folder = tmp_path / "endless"
    folder.mkdir()
    (folder / "00000.png").write_bytes(png)
    for number in range(1, 10_000):
        os.link(folder / "00000.png", folder / f"{number:05}.png")
    return folder


def test_stdout_that_is_closed_early_is_no_traceback(colour_model: Path, endless_photos: Path) -> None:
    line = f"{CLF_RUN} {colour_model} -s endless | head -n 1"

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=endless_photos.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout) == (141, ",".join(COLUMNS) + "\n")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_images_that_arrive_are_classified_until_it_is_interrupted(
    colour_model: Path, photos: Path, png: bytes, tmp_path: Path
) -> None:
    journal = tmp_path / "results.csv.journal"
    process = subprocess.Popen(
        [CLF_RUN, colour_model, "-s", "photos", "--watch", "-o", "results.csv", "--summary", "summary.json"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: journal.exists() and b"c.png" in journal.read_bytes())
    (photos / "d.png").write_bytes(png)
    wait_until(lambda: b"d.png" in journal.read_bytes())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "4 images in" in said
    assert json.loads((tmp_path / "summary.json").read_text())["images"] == 4
    assert [row["path"] for row in rows_of((tmp_path / "results.csv").read_text())] == [f"photos/{x}.png" for x in "abcd"]


def test_paths_from_another_program_are_answered_as_they_come(colour_model: Path, photos: Path, tmp_path: Path) -> None:
    line = [CLF_RUN, colour_model, "-s", "-", "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, cwd=tmp_path, text=True, **pipes) as process:  # type: ignore[call-overload]
        for name in "abc":
            process.stdin.write(f"photos/{name}.png\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["path"] == f"photos/{name}.png"
        process.stdin.close()
        assert process.wait(60) == 0


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("flags", "code", "count"),
    [(["--max-failures", "1"], 2, 2), (["--max-failures", "2"], 1, 4), (["--max-failures", "1%"], 1, 4)],
    ids=["too many", "as many", "a share of few"],
)
def test_a_run_stops_when_too_many_fail(
    flags: list[str], code: int, count: int, command: Command, colour_model: Path, photos: Path
) -> None:
    (photos / "a.png").write_bytes(b"")
    (photos / "d.png").write_bytes(b"")

    done = command("clf-run", colour_model, "-s", "photos", "--json", *flags)

    assert done.returncode == code
    assert ("2 of 4 images failed, and --max-failures allows 1; stopped" in done.stderr) == (code == 2)


def test_a_share_of_failures_is_judged_from_a_hundred_images_on(command: Command, colour_model: Path, photos: Path) -> None:
    for number in range(150):
        (photos / f"x{number:03}.png").write_bytes(b"")

    done = command("clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--max-failures", "5%")

    assert done.returncode == 2
    assert "images failed, and --max-failures allows 5%; stopped" in done.stderr


def test_images_over_the_limit_are_not_decoded(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", photos / "a.png", "--json", "--max-pixels", "1000")

    row = json.loads(done.stdout)
    assert (row["error"], row["width"], row["height"]) == ("too_large", 48, 32)


@pytest.mark.parametrize(
    "flags",
    [
        ["--retry-failed"],
        ["--restart"],
        ["--resume"],
        ["-o", "r.csv", "--no-resume", "--restart"],
        ["--sort", "copy"],
        ["--sort-dir", "x"],
        ["--sort", "burn", "--sort-dir", "x"],
        ["--sort", "copy", "--sort-dir", "photos/sorted"],
        ["--max-failures", "many"],
        ["--verify", "perhaps"],
        ["-o", "r.csv", "--json"],
        ["-o", "r.csv", "--journal", "./r.csv"],
        ["--summary", "nowhere/summary.json"],
        ["--watch", "-s", "-"],
        ["-0"],
    ],
    ids=" ".join,
)
def test_flags_that_make_no_sense_together_are_one_sentence(
    flags: list[str], command: Command, colour_model: Path, photos: Path
) -> None:
    done = command("clf-run", colour_model, "-s", "photos", *flags)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in photos.parent.iterdir()) == ["photos"]


def test_another_model_does_not_go_on_with_a_journal(
    command: Command, colour_model: Path, build_onnx: BuildOnnx, colour_card: ModelCard, photos: Path
) -> None:
    write_model(photos.parent / "other.onnx", build_onnx(np.eye(3, dtype=np.float32), colour_card))
    command("clf-run", colour_model, "-s", "photos", "-o", "r.csv")

    refused = command("clf-run", "other.onnx", "-s", "photos", "-o", "r.csv")
    anew = command("clf-run", "other.onnx", "-s", "photos", "-o", "r.csv", "--restart")

    assert (refused.returncode, anew.returncode) == (2, 0)
    assert "r.csv.journal was made with model " in refused.stderr


def test_what_failed_is_tried_again_when_asked_for(command: Command, colour_model: Path, photos: Path, png: bytes) -> None:
    (photos / "b.png").write_bytes(b"")
    os.utime(photos / "b.png", (1, 1))
    command("clf-run", colour_model, "-s", "photos", "-o", "r.csv")
    unchanged = command("clf-run", colour_model, "-s", "photos", "-o", "r.csv")
    (photos / "b.png").write_bytes(png)

    again = command("clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--retry-failed")

    assert (unchanged.returncode, again.returncode) == (1, 0)
    assert "3 images, 1 of them now, in" in again.stderr


@pytest.mark.parametrize("source", ["photos", "*/*.png", "photos/a.png"])
def test_sorting_needs_no_output(source: str, command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", source, "--sort", "copy", "--sort-dir", "new/deep")

    rows = rows_of(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {row["sorted_to"] for row in rows} == {
        str(path.relative_to(photos.parent)) for path in (photos.parent / "new").rglob("*.png")
    }
    assert command("clf-run", "undo", "new/deep/clf-run.journal").returncode == 0
    assert not list((photos.parent / "new").rglob("*.png"))


@pytest.mark.parametrize("source", ["photos", "photos/*.png", "@list.txt", "list.csv:path", "photos/a.png"])
def test_what_was_moved_keeps_its_rows(source: str, command: Command, colour_model: Path, photos: Path) -> None:
    names = [f"photos/{name}.png" for name in "abc"]
    (photos.parent / "list.txt").write_text("\n".join(names))
    (photos.parent / "list.csv").write_text("\n".join(["path", *names]))
    line = ["clf-run", colour_model, "-s", source, "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    command(*line)
    first = (photos.parent / "r.csv").read_text()
    (photos.parent / "r.csv").unlink()

    again = command(*line)

    assert again.returncode == 0, again.stderr
    assert (photos.parent / "r.csv").read_text() == first
    assert {row["status"] for row in rows_of(first)} == {"ok"}


def test_what_has_taken_the_name_of_an_image_is_not_moved_for_it(
    command: Command, colour_model: Path, photos: Path, encode: Callable[..., bytes]
) -> None:
    line = ["clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    command(*line)
    journal = photos.parent / "r.csv.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b"sorted_so_far" not in line))  # a kill before the moves
    shutil.rmtree(photos.parent / "sorted")
    (photos / "a.png").write_bytes(encode(np.full((9, 9, 3), (0, 0, 250), np.uint8), "PNG"))

    done = command(*line)

    rows = {row["path"]: row for row in rows_of((photos.parent / "r.csv").read_text())}
    assert (done.returncode, rows["photos/a.png"]["label"]) == (0, "blue")
    assert [path.name for path in (photos.parent / "sorted").rglob("*.png")] == ["a.png"]
    assert (photos.parent / "sorted" / "blue" / "a.png").exists()


def test_a_name_that_is_used_again_is_another_image_once_the_first_was_moved(
    command: Command, colour_model: Path, photos: Path, encode: Callable[..., bytes]
) -> None:
    line = ["clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    command(*line)
    (photos / "a.png").write_bytes(encode(np.full((9, 9, 3), (0, 0, 250), np.uint8), "PNG"))

    done = [command(*line).returncode for _ in range(2)]

    rows = rows_of((photos.parent / "r.csv").read_text())
    assert done == [0, 0]
    assert [row["path"][-5:] for row in rows] == ["a.png", "b.png", "c.png", "a.png"]
    assert len({row["sorted_to"] for row in rows}) == 4
    assert all((photos.parent / row["sorted_to"]).exists() for row in rows)


def test_folders_that_a_pattern_matches_are_not_sorted_into(command: Command, colour_model: Path, photos: Path) -> None:
    (photos / "sorted").mkdir()

    done = command("clf-run", colour_model, "-s", "photos/*", "--sort", "copy", "--sort-dir", "photos/sorted")

    assert done.returncode == 2
    assert "they would be found again" in done.stderr


def test_a_plan_touches_nothing(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--sort", "plan", "--sort-dir", "sorted")

    assert done.returncode == 0
    assert not (photos.parent / "sorted").exists()
    assert len({row["sorted_to"] for row in rows_of((photos.parent / "r.csv").read_text())}) == 3


def test_what_failed_and_is_gone_has_no_row_once_it_was_to_be_tried_again(
    command: Command, colour_model: Path, photos: Path
) -> None:
    line = ["clf-run", colour_model, "-s", "photos", "-o", "r.csv"]
    (photos / "b.png").write_bytes(b"")
    (photos / "c.png").write_bytes(b"")
    command(*line)
    (photos / "b.png").unlink()

    kept = command(*line)
    retried = command(*line, "--retry-failed")
    after = command(*line)

    assert (kept.returncode, retried.returncode, after.returncode) == (1, 1, 1)
    assert "1 of those that failed are not there any more; their rows are left out" in retried.stderr
    names = [row["path"] for row in rows_of((photos.parent / "r.csv").read_text())]
    assert names == ["photos/a.png", "photos/c.png"]


def test_a_summary_for_programs(command: Command, colour_model: Path, photos: Path) -> None:
    (photos / "b.png").write_bytes(b"")
    command("clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--summary", "summary.json")

    summary = json.loads((photos.parent / "summary.json").read_text())
    assert (summary["images"], summary["failures"], summary["skipped"]) == (3, {"empty": 1}, 1)


def test_a_list_that_is_damaged_is_one_sentence(command: Command, colour_model: Path, photos: Path) -> None:
    (photos.parent / "bad.csv").write_text("path\n" + "photos/a.png\n" * 300 + '"abc"def\n')

    done = command("clf-run", colour_model, "-s", "bad.csv:path", "-o", "r.csv")

    assert done.returncode == 2
    assert [line[:6] for line in done.stderr.splitlines()] == ["error:"]


def test_a_full_disk_at_the_end_keeps_the_journal(command: Command, colour_model: Path, photos: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1400, 1400))"
    script = f"{limit}; from edgeclf.runtime.cli.clf_run import main; main()"
    line = [sys.executable, "-c", script, str(colour_model), "-s", "photos", "-o", "r.csv", "--all-scores"]
    for number in range(4):
        shutil.copy(photos / "a.png", photos / f"more{number}.png")

    done = subprocess.run(line, cwd=photos.parent, capture_output=True, text=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cannot write" in done.stderr
    assert not (photos.parent / "r.csv").exists()
    assert command("clf-run", colour_model, "-s", "photos", "-o", "r.csv", "--all-scores").returncode == 0
    assert len(rows_of((photos.parent / "r.csv").read_text())) == 7


def test_version_is_told(command: Command) -> None:
    assert re.fullmatch(r"edgeclf \d+\.\d+\.\d+\n", command("clf-run", "--version").stdout)
