"""All peers: edgeclf itself, the machine's limit, and the alternatives that run on this machine."""

from dataclasses import replace
from pathlib import Path

from edgeclf.benchmarks.peers.environments import Environment, InstallError
from edgeclf.benchmarks.peers.rounds import Peer
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.terminal.console import note

PIPELINE, LITERT, FULL = "edgeclf", "edgeclf, LiteRT", "edgeclf, every pixel decoded"
APPEND, READ_BACK = "journal, appended", "journal, read back"
JOURNAL = {APPEND: Peer("journal"), READ_BACK: Peer("journal_read")}
MOST = 24
"""Images per round for the slowest peer."""

OURS = {PIPELINE: Peer("pipeline"), LITERT: Peer("litert"), FULL: Peer("full_decode")}
HERE = {
    "plain loop": Peer("plain_loop"),
    "plain loop, LiteRT": Peer("litert_loop"),
    "Keras loader + predict": Peer("keras_loader"),
    "tutorials' loop": Peer("keras_loop", most=MOST),
    "tf.data + TFLite": Peer("tf_data"),
}
_ALL_NEED = ("numpy", "rich", "typer")
_OPENCV = "opencv-python-headless"
ELSEWHERE = {
    Environment("openvino", (*_ALL_NEED, _OPENCV, "openvino==2026.4.1")): {
        "OpenVINO, asynchronous queue": Peer("openvino_queue"),
        "OpenVINO, one request a thread": Peer("openvino_threads"),
    },
    Environment("torch", (*_ALL_NEED, _OPENCV, "onnxruntime", "torch==2.13.0")): {
        "torch DataLoader + onnxruntime": Peer("torch_loader"),
    },
    Environment(
        "ultralytics",  # brings its own opencv-python
        (*_ALL_NEED, "onnx", "onnxruntime", "torch==2.13.0", "torchvision==0.28.0", "ultralytics==8.4.190"),
    ): {"Ultralytics predict": Peer("ultralytics_predict")},
}
"""Peers whose packages conflict with ours; each group runs in its own environment."""


def limits() -> dict[str, Peer]:
    """The speed of the cores without a pipeline: one core times their number, and all cores at once."""
    cores = usable_cores()
    return {"limit": Peer("limit", times=cores), "limit, all cores busy": Peer("limit", pinned=cores)}


def find_peers(folder: Path) -> tuple[dict[str, Peer], str]:
    """The alternatives that can run, and one line of text for each environment, which is made in `folder`."""
    found, sentences = dict(HERE), []
    for environment, peers in ELSEWHERE.items():
        names = " and ".join(f"`{name}`" for name in peers)
        note(f"installing {environment.name} for {names}")
        try:
            python = environment.build(folder, [f"edgeclf.benchmarks.peers.{each.module}" for each in peers.values()])
        except InstallError as error:
            sentences.append(f"- {names}: not measured ({error}).")
            note(sentences[-1])
            continue
        found |= {name: replace(each, python=python) for name, each in peers.items()}
        sentences.append(f"- {names}: {environment.versions(folder)}.")
    return found, "\n".join(sentences)
