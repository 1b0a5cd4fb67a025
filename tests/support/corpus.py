"""A folder of more than a thousand hostile files and some good images, with the outcomes allowed for each."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from edgeclf.runtime.errors import Reason
from tests.support.bombs import BOMBS, HARMLESS
from tests.support.encodings import COLOURLESS, COLOURS, ENCODINGS, noisy
from tests.support.mutations import mutated

Outcomes = frozenset[str]
"""Labels of `colour_model`, and reasons of errors."""

ANY_LABEL: Outcomes = frozenset(COLOURS)
REFUSED: Outcomes = frozenset(reason.value for reason in Reason)
CUTS = 20
SEVERAL_IMAGES = frozenset({"jpeg-mpo", "jpeg-trailing", "tiff-pages", "tiff-pages-lzw"})
"""Files with more data after the image that is used: a cut there leaves the image whole."""

NOT_IMAGES = {
    "text": b"hello, I am a text\n",
    "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "json": b'{"error": "rate limit exceeded"}\n',
    "zip": b"PK\x03\x04\x14\0\0\0\0\0" + bytes(100),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "pdf": b"%PDF-1.7\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    "wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    "prose": b"BMW is a maker of cars, and this is a text.\n",
    "zeros": bytes(4096),
    "byte": b"\xff",
    "link": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
}

HOSTILE_NAMES = (
    b"new\nline.png",
    b"carriage\rreturn.png",
    b"tab\tstop.png",
    b"\x1b[31mred\x1b[0m.png",
    b"\x1b]0;title\x07.png",
    b"bell\x07.png",
    b"caf\xe9.png",
    b"\xff\xfe\x80.png",
    "\u202egnp.exe.png".encode(),
    "zero\u200bwidth.png".encode(),
    "paragraph\u2029.png".encode(),
    "\u00fcmlaut \u4e2d\u6587 \U0001f98b.png".encode(),
    b"-n.png",
    b"--help.png",
    b"=HYPERLINK(1).png",
    b"+1.png",
    b"@SUM(A1).png",
    b'quote"s.png',
    b"apostrophe's.png",
    b"comma,comma.png",
    b"semi;colon.png",
    b"back\\slash\\n.png",
    b" spaces around .png",
    b"trailing.png .png",
    b"[glob]*?.png",
    b"$(touch pwned).png",
    b"%s%n%x.png",
    b"~.png",
    b"x" * 251 + b".png",
)


class Corpus:
    """Writes the files into a folder. `expected` maps each path that must have a row to the allowed outcomes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[str, Outcomes] = {}
        self._number = 0
        for write in (self._good, self._cut, self._mutated, self._bombs, self._others, self._named, self._special):
            write()

    def _add(self, name: str | bytes, data: bytes, outcomes: Outcomes) -> None:
        with open(self._path(name), "wb") as file:
            file.write(data)
        self._expect(name, outcomes)

    def _expect(self, name: str | bytes, outcomes: Outcomes) -> None:
        self.expected[self._path(name)] = outcomes

    def _path(self, name: str | bytes) -> str:
        path = os.path.join(self.folder, os.fsdecode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _images(self) -> Iterator[tuple[str, str, bytes, Outcomes]]:
        """Name, extension, bytes and labels of a small image in every encoding; the colours take turns."""
        for number, (name, encode) in enumerate(ENCODINGS.items()):
            colour = COLOURS[number % 3]
            labels = ANY_LABEL if name in COLOURLESS else frozenset({colour})
            yield name, name.partition("-")[0].removeprefix("big"), encode(noisy(colour, 48, number)), labels

    def _good(self) -> None:
        for name, extension, data, labels in self._images():
            self._add(f"good/{name}.{extension}", data, labels)
            self._add(f"good/{name}.called.{'png' if extension != 'png' else 'jpg'}", data, labels)

    def _cut(self) -> None:
        for name, extension, data, labels in self._images():
            for cut in range(CUTS):
                outcomes = REFUSED | labels if name in SEVERAL_IMAGES else REFUSED
                self._add(f"cut/{name}/{cut:02}.{extension}", data[: len(data) * cut // CUTS], outcomes)

    def _mutated(self) -> None:
        seeds = [data for _, _, data, _ in self._images()]
        for number in range(200):
            self._add(f"mutated/{number:03}.jpg", mutated(number, seeds), REFUSED | ANY_LABEL)

    def _bombs(self) -> None:
        for name, build in BOMBS.items():
            self._add(f"bombs/{name}.png", build(), REFUSED)
        for name, build in HARMLESS.items():
            self._add(f"bombs/{name}.png", build(), REFUSED | ANY_LABEL)

    def _others(self) -> None:
        for name, data in NOT_IMAGES.items():
            self._add(f"others/{name}.jpg", data, frozenset({Reason.NOT_AN_IMAGE}))
        self._add("others/heic.jpg", b"\0\0\0\x18ftypheic" + bytes(100), frozenset({Reason.UNSUPPORTED}))
        self._add("others/empty.jpg", b"", frozenset({Reason.EMPTY}))

    def _named(self) -> None:
        data = ENCODINGS["png"](noisy("green", 32))
        for name in HOSTILE_NAMES:
            self._add(b"named/" + name, data, frozenset({"green"}))

    def _special(self) -> None:
        good = ENCODINGS["png"](noisy("blue", 32))
        self._add("special/folder.jpg/inside.png", good, frozenset({"blue"}))
        os.mkfifo(self._path("special/pipe.jpg"))
        bound = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(self.folder / "special")  # the path of a socket is limited to about a hundred bytes
        bound.bind("socket.jpg")
        os.chdir(here)
        bound.close()
        for name, target in (
            ("zero.jpg", "/dev/zero"),
            ("null.jpg", "/dev/null"),
            ("loop.jpg", ".."),
            ("fifo.png", "pipe.jpg"),
        ):
            os.symlink(target, self._path(f"special/{name}"))
        for name in ("pipe.jpg", "socket.jpg", "zero.jpg", "null.jpg", "loop.jpg", "fifo.png"):
            self._expect(f"special/{name}", frozenset({Reason.NOT_A_FILE}))
        os.symlink("nowhere.jpg", self._path("special/dangling.jpg"))
        self._expect("special/dangling.jpg", frozenset({Reason.NOT_FOUND}))
        os.symlink("itself.jpg", self._path("special/itself.jpg"))
        self._expect("special/itself.jpg", frozenset({Reason.UNREADABLE}))
        os.symlink(self.folder, self._path("special/folder-loop"))  # must not be entered
        os.symlink("../good/png.png", self._path("special/linked.png"))
        self._expect("special/linked.png", self.expected[self._path("good/png.png")])
        with open(self._path("special/sparse.jpg"), "wb") as file:
            file.truncate(2 << 30)
        self._expect("special/sparse.jpg", frozenset({Reason.TOO_LARGE}))
        self._forbidden(good)

    def _forbidden(self, good: bytes) -> None:
        """Files without read permission, which root can read all the same."""
        unreadable = frozenset({"blue" if os.geteuid() == 0 else Reason.UNREADABLE})
        self._add("special/secret.png", good, unreadable)
        os.chmod(self._path("special/secret.png"), 0)
        inside = self._path("special/closed/inside.png")
        Path(inside).write_bytes(good)
        os.chmod(os.path.dirname(inside), 0)
        self._expect("special/closed/inside.png" if os.geteuid() == 0 else "special/closed", unreadable)

    def unlock(self) -> None:
        """Restore the permissions, so that the folder can be removed."""
        os.chmod(self.folder / "special" / "closed", 0o700)
