"""Lets a command's libraries print to stdout while they are imported: from Python, and as C code does."""

from pathlib import Path

WORD = "noise"
_HOOK = f"""
import ctypes, os, sys

class Noise:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "cv2", "onnxruntime", "ai_edge_litert", "keras", "edgeclf.runtime.results.undo"):
            print("{WORD} of", name)
            os.write(1, b"{WORD} of a file descriptor\\n")
            ctypes.CDLL(None).puts(b"{WORD} of C")

sys.meta_path.insert(0, Noise())
"""


def make_noisy(folder: Path) -> dict[str, str]:
    """The environment of a command whose libraries print WORD. Writes to `folder`."""
    (folder / "sitecustomize.py").write_text(_HOOK)
    return {"PYTHONPATH": str(folder)}
