"""What there is to look at: the newest of every source and the last changes of label, as JPEG, made once for all viewers."""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.live.viewers.snapshot import Snapshot

MAX_IMAGES_A_SECOND = 15
LAST_CHANGES = 20
_MAX_SOURCES = 32
_MAX_SIDE, _QUALITY = 1280, 80
_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 160, 70


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A source as it is seen. shown_at: as `time.monotonic` counts. jpeg: empty where OpenCV cannot make one."""

    version: int
    source: int
    snapshot: Snapshot
    shown_at: float
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A label that took another's place; its image, small, as JPEG."""

    version: int
    source: str
    label: str
    confidence: float
    time: str
    thumbnail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What came up to a version."""

    version: int
    views: tuple[View, ...]
    changes: tuple[Change, ...]


class Board:
    """Keeps the newest snapshot of each source, and no older one. Sources are numbered as they come, from 0.

    One thread makes the images, of those sources only that somebody looks at. encoded: how many it has made.
    """

    def __init__(self) -> None:
        self.encoded = 0
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)  # for the thread that encodes
        self._published = threading.Condition(self._lock)  # for those who look
        self._closed = threading.Event()
        self._version = 0
        self._sources: dict[str, _Source] = {}
        self._looking: Counter[int | None] = Counter()
        self._changed: deque[Snapshot] = deque(maxlen=LAST_CHANGES)
        self._changes: deque[Change] = deque(maxlen=LAST_CHANGES)
        self._thread = threading.Thread(target=self._run, daemon=True, name="encoder")
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def show(self, snapshot: Snapshot) -> None:
        """Remember it. Microseconds: the run's loop waits for this."""
        with self._lock:
            source = self._sources.get(snapshot.source)
            if source is None:
                if len(self._sources) == _MAX_SOURCES:
                    return
                source = self._sources[snapshot.source] = _Source(len(self._sources), snapshot)
            source.newest, source.shown_at = snapshot, time.monotonic()
            if snapshot.changed:
                self._changed.append(snapshot)
            if snapshot.changed or self._looking:
                self._news.notify()

    def newest(self) -> list[tuple[int, Snapshot, float]]:
        """Of every source its number, its snapshot, and when it was shown."""
        with self._lock:
            return [(source.number, source.newest, source.shown_at) for source in self._sources.values()]

    def changes(self) -> list[Change]:
        """The last ones, oldest first."""
        with self._lock:
            return list(self._changes)

    @contextmanager
    def looking(self, number: int | None = None) -> Iterator[None]:
        """Somebody looks at this source, or at all of them."""
        with self._lock:
            self._looking[number] += 1
            self._news.notify()
        try:
            yield
        finally:
            with self._lock:
                self._looking -= Counter([number])
                for source in self._sources.values():
                    if not self._is_watched(source):
                        source.view = None  # the next who looks would take it for new

    def after(self, version: int, timeout_s: float) -> News:
        """What was published since; waits for it. Nothing where nothing came in time, or where the board was closed."""
        with self._lock:
            self._published.wait_for(lambda: self.closed or self._version > version, timeout_s)
            views = [source.view for source in self._sources.values() if source.view and source.view.version > version]
            changes = [change for change in self._changes if change.version > version]
            return News(self._version, tuple(views), tuple(changes))

    def view_after(self, version: int, number: int, timeout_s: float) -> View | None:
        """As `after`, for one source, which the caller looks at."""

        def newer() -> View | None:
            views = [source.view for source in self._sources.values() if source.number == number and source.view]
            return next((view for view in views if view.version > version), None)

        with self._lock:
            self._published.wait_for(lambda: self.closed or newer(), timeout_s)
            return newer()

    def close(self) -> None:
        """Let all who look go, and end the thread."""
        self._closed.set()
        with self._lock:
            self._news.notify_all()
            self._published.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while not self.closed:
            with self._lock:
                self._news.wait_for(lambda: self.closed or self._changed or self._waiting())
            began = time.monotonic()
            self._publish()
            self._closed.wait(max(0.0, began + 1 / MAX_IMAGES_A_SECOND - time.monotonic()))

    def _publish(self) -> None:
        """What has come in. On its own, so that no image is held on to while there is nothing to do."""
        with self._lock:
            waiting = [(source, source.newest, source.shown_at) for source in self._waiting()]
            changed = list(self._changed)
            self._changed.clear()
        version = self._version + 1
        views = [View(version, source.number, new, at, self._jpeg(source, new)) for source, new, at in waiting]
        changes = [_change(version, snapshot) for snapshot in changed]
        with self._lock:
            self._version = version
            self._changes.extend(changes)
            for (source, *_), view in zip(waiting, views, strict=True):
                source.view = view if self._is_watched(source) else None
            self._published.notify_all()

    def _waiting(self) -> "list[_Source]":
        return [source for source in self._sources.values() if self._is_watched(source) and not source.is_published]

    def _is_watched(self, source: "_Source") -> bool:
        return bool(self._looking[None] or self._looking[source.number])

    def _jpeg(self, source: "_Source", snapshot: Snapshot) -> bytes:
        if source.view and source.view.snapshot.image is snapshot.image:  # a camera in trouble gives no newer one
            return source.view.jpeg
        self.encoded += 1
        return to_jpeg(snapshot.image, _MAX_SIDE, _QUALITY)


def to_jpeg(image: Pixels, max_side: int, quality: int) -> bytes:
    """uint8 `[h, w, 3]` RGB as a JPEG with no side longer than `max_side`; empty where OpenCV cannot make one."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width, 1))
    try:
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return encode_image(image, ".jpg", quality=quality)
    except (ValueError, cv2.error):
        return b""


@dataclass(slots=True)
class _Source:
    number: int
    newest: Snapshot
    shown_at: float = 0.0
    view: View | None = None

    @property
    def is_published(self) -> bool:
        return self.view is not None and self.view.snapshot is self.newest


def _change(version: int, snapshot: Snapshot) -> Change:
    thumbnail = to_jpeg(snapshot.image, _THUMBNAIL_SIDE, _THUMBNAIL_QUALITY)
    return Change(version, snapshot.source, snapshot.label, snapshot.confidence, snapshot.time, thumbnail)
