"""The newest image of every source and the last changes of label, encoded as JPEG once for all viewers of the page."""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeclf.runtime.drawing.canvas import shrink
from edgeclf.runtime.drawing.heatmap import lay_over
from edgeclf.runtime.images.encode import to_jpeg
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.viewers.snapshot import Snapshot

MAX_FPS = 15
MAX_CHANGES = 20
_MAX_SOURCES = 32
_MAX_SIDE, _QUALITY = 1280, 80
_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 160, 70


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """An encoded snapshot. shown_at: as `time.monotonic` counts. jpeg: empty if OpenCV cannot encode the image.

    heat_jpeg: the same with the heatmap over it; empty unless somebody looks at heatmaps.
    """

    version: int
    source: int
    snapshot: Snapshot
    shown_at: float
    jpeg: bytes
    heat_jpeg: bytes = b""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Change:
    """A change of label. thumbnail: the image as a small JPEG."""

    version: int
    source: str
    label: str
    confidence: float
    time: str
    thumbnail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """What was published up to a version."""

    version: int
    views: tuple[View, ...]
    changes: tuple[Change, ...]


class Broadcaster:
    """Keeps only the newest snapshot of each source. Sources are numbered in the order of their first snapshot, from 0.

    One thread encodes, and only sources that have a viewer. encoded: how many images it has encoded. preprocess: of the
    model, for its heatmaps; None if it has none. heat_viewers: how many are looking at heatmaps now.
    """

    def __init__(self, preprocess: Preprocess | None = None) -> None:
        self.encoded = 0
        self.heat_viewers = 0
        self._preprocess = preprocess
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # wakes the encoder
        self._published = threading.Condition(self._lock)  # wakes the viewers
        self._closed = threading.Event()
        self._version = 0
        self._sources: dict[str, _Source] = {}
        self._viewers: Counter[int | None] = Counter()  # by source; None: of all sources
        self._changed: deque[Snapshot] = deque(maxlen=MAX_CHANGES)
        self._changes: deque[Change] = deque(maxlen=MAX_CHANGES)
        self._thread = threading.Thread(target=self._run, daemon=True, name="encoder")
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    @property
    def viewers(self) -> int:
        """How many are watching now."""
        return self._viewers.total()

    def show(self, snapshot: Snapshot) -> None:
        """Take a snapshot. This takes microseconds, because the run's loop waits for it."""
        with self._lock:
            source = self._sources.get(snapshot.source)
            if source is None:
                if len(self._sources) == _MAX_SOURCES:
                    return
                source = self._sources[snapshot.source] = _Source(len(self._sources), snapshot)
            source.newest, source.shown_at = snapshot, time.monotonic()
            if snapshot.changed:
                self._changed.append(snapshot)
            if snapshot.changed or self._viewers:
                self._work.notify()

    def newest(self) -> list[tuple[int, Snapshot, float]]:
        """The number, the newest snapshot and the time of that snapshot, for every source."""
        with self._lock:
            return [(source.number, source.newest, source.shown_at) for source in self._sources.values()]

    def changes(self) -> list[Change]:
        """The last changes of label, oldest first."""
        with self._lock:
            return list(self._changes)

    @contextmanager
    def watching(self, number: int | None = None, *, heat: bool = False) -> Iterator[None]:
        """Register a viewer of this source, or of all sources. heat: one that looks at heatmaps."""
        with self._lock:
            self._viewers[number] += 1
            self.heat_viewers += heat
            self._work.notify()
        try:
            yield
        finally:
            with self._lock:
                self._viewers -= Counter([number])
                self.heat_viewers -= heat
                for source in self._sources.values():
                    if not self._is_watched(source):
                        source.view = None  # the next viewer would take it for new

    def after(self, version: int, timeout_s: float) -> Update:
        """Wait for what is published after `version`. Empty after the timeout or when closed."""
        with self._lock:
            self._published.wait_for(lambda: self.closed or self._version > version, timeout_s)
            views = [source.view for source in self._sources.values() if source.view and source.view.version > version]
            changes = [change for change in self._changes if change.version > version]
            return Update(self._version, tuple(views), tuple(changes))

    def view_after(self, version: int, number: int, timeout_s: float) -> View | None:
        """Like `after`, for one source, which the caller must be watching."""

        def newer() -> View | None:
            views = [source.view for source in self._sources.values() if source.number == number and source.view]
            return next((view for view in views if view.version > version), None)

        with self._lock:
            self._published.wait_for(lambda: self.closed or newer(), timeout_s)
            return newer()

    def wait_until_published(self, timeout_s: float) -> None:
        """Wait until viewers can have everything that was shown."""
        with self._lock:
            self._published.wait_for(lambda: self.closed or not (self._changed or self._unpublished()), timeout_s)

    def close(self) -> None:
        """Release all waiting viewers and end the thread."""
        self._closed.set()
        with self._lock:
            self._work.notify_all()
            self._published.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while not self.closed:
            with self._lock:
                self._work.wait_for(lambda: self.closed or self._changed or self._unpublished())
            started = time.monotonic()
            self._publish()
            self._closed.wait(max(0.0, started + 1 / MAX_FPS - time.monotonic()))

    def _publish(self) -> None:
        """Encode and publish what is new. A function of its own, so that no image is kept alive while the thread waits."""
        with self._lock:
            waiting = [(source, source.newest, source.shown_at) for source in self._unpublished()]
            changed = list(self._changed)
            self._changed.clear()
        version = self._version + 1
        views = [
            View(version, source.number, new, at, self._jpeg(source, new), heat_jpeg=self._heat_jpeg(source, new))
            for source, new, at in waiting
        ]
        changes = [_change(version, snapshot) for snapshot in changed]
        with self._lock:
            self._version = version
            self._changes.extend(changes)
            for (source, *_), view in zip(waiting, views, strict=True):
                source.view = view if self._is_watched(source) else None
            self._published.notify_all()

    def _unpublished(self) -> "list[_Source]":
        watched = filter(self._is_watched, self._sources.values())
        return [source for source in watched if not source.is_published or self._lacks_heat(source)]

    def _lacks_heat(self, source: "_Source") -> bool:
        """Whether somebody who looks at heatmaps has come since the newest snapshot was published."""
        view = source.view
        return bool(self._shows_heat_of(source.newest) and view and view.jpeg and not view.heat_jpeg)

    def _shows_heat_of(self, snapshot: Snapshot) -> bool:
        return bool(self.heat_viewers and self._preprocess and snapshot.heat is not None and snapshot.image.size)

    def _is_watched(self, source: "_Source") -> bool:
        return bool(self._viewers[None] or self._viewers[source.number])

    def _jpeg(self, source: "_Source", snapshot: Snapshot) -> bytes:
        if source.view and source.view.snapshot.image is snapshot.image:  # a camera in trouble repeats its last image
            return source.view.jpeg
        self.encoded += 1
        return to_jpeg(snapshot.image, _MAX_SIDE, _QUALITY)

    def _heat_jpeg(self, source: "_Source", snapshot: Snapshot) -> bytes:
        if self._preprocess is None or snapshot.heat is None or not self._shows_heat_of(snapshot):
            return b""
        if source.view and source.view.heat_jpeg and source.view.snapshot.image is snapshot.image:
            return source.view.heat_jpeg
        self.encoded += 1
        image = lay_over(shrink(snapshot.image, _MAX_SIDE, _MAX_SIDE), snapshot.heat, self._preprocess)
        return to_jpeg(image, _MAX_SIDE, _QUALITY)


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
    return Change(
        version=version,
        source=snapshot.source,
        label=snapshot.label,
        confidence=snapshot.confidence,
        time=snapshot.time,
        thumbnail=to_jpeg(snapshot.image, _THUMBNAIL_SIDE, _THUMBNAIL_QUALITY),
    )
