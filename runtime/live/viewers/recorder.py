"""Records what the window shows of a live run. Encoding has its own thread, so a camera's run never waits for it."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgeclf.runtime.errors import first_line
from edgeclf.runtime.live.viewers.overlay import draw_overlay
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.live.viewers.video_writer import VideoWriter
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural

MAX_GAP_S = 1.0
"""How long a gap becomes in the video, even if the camera was lost for an hour."""
_QUEUE_LENGTH = 4
"""Images between the run and the encoder; 25 MB at 1080p."""


class Recorder:
    """A `Viewer` that records each source to its own file: `out.mkv`, `out-2.mkv` and so on. It never overwrites a file.

    A camera's video plays in real time: images are repeated or skipped by the clock. For a video, each snapshot is one
    frame. If the process is killed, .mkv and .avi files lose the last 256 KiB, and an .mp4 file cannot be played.

    fps: of the files. overlay: draw the answers onto the images. wait: wait for the encoder instead of skipping images; for
    videos, whose frames can wait. skipped: images that the encoder had no time for. Raises OptionError for a path or a rate
    that a video cannot have, OutputError if the file cannot be created. Later errors end the recording, not the run.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        *,
        overlay: bool = True,
        wait: bool = False,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.skipped = 0
        self._path, self._fps, self._overlay, self._wait = path, fps, overlay, wait
        self._report, self._now = report, now
        self._unused = [VideoWriter(path, fps)]
        self._writers: dict[str, VideoWriter | None] = {}
        self._timelines: dict[str, _Timeline] = {}
        self._queue: queue.Queue[tuple[Snapshot, int] | None] = queue.Queue(_QUEUE_LENGTH)
        if self._unused[0].path.name != path.name:
            report(f"{path} exists already; recording to {self._unused[0].path.name}")
        self._thread = threading.Thread(target=self._encode, name="recorder", daemon=True)
        self._thread.start()

    def show(self, snapshot: Snapshot) -> None:
        """Pass a snapshot to the encoder, or skip it."""
        timeline = self._timelines.setdefault(snapshot.source, _Timeline(self._fps))
        frames = timeline.frames_for(snapshot, self._now())
        if not frames:
            return
        try:
            self._queue.put((snapshot, frames), block=self._wait)
        except queue.Full:
            self.skipped += 1
            return
        timeline.written += frames

    def close(self) -> None:
        """Finish the files."""
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._thread.join()
        if self.skipped:
            self._report(f"the recording lacks {plural(self.skipped, 'image')}: encoding was too slow")

    def _encode(self) -> None:
        for snapshot, frames in iter(self._queue.get, None):
            try:
                self._write(snapshot, frames)
            except Exception as error:  # any error: the run continues without a recording
                self._finish(snapshot.source, error)
        for source in self._writers:
            self._finish(source)
        for writer in self._unused:
            writer.close()

    def _write(self, snapshot: Snapshot, frames: int) -> None:
        if snapshot.source not in self._writers:
            self._writers[snapshot.source] = self._unused.pop() if self._unused else self._open_another(snapshot.source)
        writer = self._writers[snapshot.source]
        if writer:
            writer.write(draw_overlay(snapshot) if self._overlay else snapshot.image, frames)

    def _open_another(self, source: str) -> VideoWriter | None:
        self._writers[source] = None  # if this fails, it is not tried again
        writer = VideoWriter(self._path, self._fps)
        self._report(f"recording {source} to {writer.path.name}")
        return writer

    def _finish(self, source: str, failure: Exception | None = None) -> None:
        """Finish a source's file, and report a failure once."""
        writer, self._writers[source] = self._writers[source], None
        try:
            if writer:
                writer.close()
        except Exception as error:
            failure = failure or error
        if failure:
            self._report(f"recording {source} has stopped, and the run continues: {first_line(failure)}")


class _Timeline:
    """Decides how many video frames each image of one source becomes. written: frames so far."""

    def __init__(self, fps: float) -> None:
        self.written = 0
        self._fps = fps
        self._started: float | None = None
        self._in_trouble = False

    def frames_for(self, snapshot: Snapshot, now: float) -> int:
        """0 for an image that is too early, and for all but the first one of a camera in trouble."""
        if snapshot.age_ms is None:
            return 1
        still_in_trouble, self._in_trouble = self._in_trouble and bool(snapshot.trouble), bool(snapshot.trouble)
        if still_in_trouble:
            return 0
        if self._started is None:
            self._started = now
        behind = (now - self._started) * self._fps - self.written
        max_gap = max(1.0, MAX_GAP_S * self._fps) - 1
        if behind > max_gap:
            self._started += (behind - max_gap) / self._fps
        # Cameras are not punctual: skip or repeat an image only when it is off by three quarters of a frame or more.
        return 0 if behind < -0.75 else 1 + int(max(0.0, min(behind, max_gap)) + 0.25)
