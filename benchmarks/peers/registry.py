"""Who is measured: edgeclf, the machine's limit, and the other ways that can be had on this machine."""

from dataclasses import replace
from pathlib import Path

from edgeclf.benchmarks.peers.environments import Environment, InstallError
from edgeclf.benchmarks.peers.rounds import Candidate
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.terminal.console import note

PIPELINE, LITERT, FULL = "edgeclf", "edgeclf, LiteRT", "edgeclf, every pixel decoded"
APPEND, READ_BACK = "journal, appended", "journal, read back"
JOURNAL = {APPEND: Candidate("journal"), READ_BACK: Candidate("journal_read")}
MOST = 24
"""Images that the slowest one takes in a round."""

OURS = {PIPELINE: Candidate("pipeline"), LITERT: Candidate("litert"), FULL: Candidate("full_decode")}
HERE = {
    "plain loop": Candidate("plain_loop"),
    "plain loop, LiteRT": Candidate("litert_loop"),
    "Keras loader + predict": Candidate("keras_loader"),
    "tutorials' loop": Candidate("keras_loop", most=MOST),
    "tf.data + TFLite": Candidate("tf_data"),
}
_ALL_NEED = ("numpy", "rich", "typer")
_OPENCV = "opencv-python-headless"
ELSEWHERE = {
    Environment("openvino", (*_ALL_NEED, _OPENCV, "openvino==2026.4.1")): {
        "OpenVINO, asynchronous queue": Candidate("openvino_queue"),
        "OpenVINO, one request a thread": Candidate("openvino_threads"),
    },
    Environment("torch", (*_ALL_NEED, _OPENCV, "onnxruntime", "torch==2.13.0")): {
        "torch DataLoader + onnxruntime": Candidate("torch_loader"),
    },
    Environment(
        "ultralytics",  # brings its own opencv-python
        (*_ALL_NEED, "onnx", "onnxruntime", "torch==2.13.0", "torchvision==0.28.0", "ultralytics==8.4.190"),
    ): {"Ultralytics predict": Candidate("ultralytics_predict")},
}
"""In environments of their own, since their packages and ours get into each other's way."""


def limits() -> dict[str, Candidate]:
    """What the cores give without any pipeline: one of them times their number, and all of them at once."""
    cores = usable_cores()
    return {"limit": Candidate("limit", times=cores), "limit, all cores busy": Candidate("limit", pinned=cores)}


def find_peers(folder: Path) -> tuple[dict[str, Candidate], str]:
    """Those that can run, and a sentence a line about the others' environments, which are made in `folder`."""
    found, sentences = dict(HERE), []
    for environment, candidates in ELSEWHERE.items():
        names = " and ".join(f"`{name}`" for name in candidates)
        note(f"installing {environment.name} for {names}")
        try:
            python = environment.build(folder, [f"edgeclf.benchmarks.peers.{each.module}" for each in candidates.values()])
        except InstallError as error:
            sentences.append(f"- {names}: not measured here ({error}).")
            note(sentences[-1])
            continue
        found |= {name: replace(each, python=python) for name, each in candidates.items()}
        sentences.append(f"- {names}: {environment.versions(folder)}.")
    return found, "\n".join(sentences)
