"""A live run as a video, of what the window shows. Encoding has a thread of its own, so the run never waits for it."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgeclf.runtime.errors import first_line
from edgeclf.runtime.live.viewers.overlay import draw
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.live.viewers.video_writer import VideoFile
from edgeclf.runtime.terminal.console import note

LONGEST_GAP_S = 1.0
"""A camera that is lost for an hour leaves so much of a gap in its video."""
_WAITING = 4
"""Images between the run and the encoder: 25 MB of 1080p."""


class Recorder:
    """A `Viewer` that records each source into a file of its own: `out.mkv`, `out-2.mkv` ..., never over one that is there.

    A camera's video plays as fast as the world went by: images are repeated or passed over by the clock. Of a video each
    snapshot is one frame. Killed at any moment, .mkv and .avi lack the last 256 KiB; an .mp4 cannot be played.

    fps: of the files. drawn: with the answers on the images. wait: for the encoder rather than leave images out, for
    videos, which do not run away. left_out: images that the encoder was too slow for. Raises OptionError for a path that
    is none of a video, OutputError where it cannot be written; later that ends the recording, and not the run.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        *,
        drawn: bool = True,
        wait: bool = False,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.left_out = 0
        self._path, self._fps, self._drawn, self._wait = path, fps, drawn, wait
        self._report, self._now = report, now
        self._unused = [VideoFile(path, fps)]
        self._files: dict[str, VideoFile | None] = {}
        self._timelines: dict[str, _Timeline] = {}
        self._queue: queue.Queue[tuple[Snapshot, int] | None] = queue.Queue(_WAITING)
        if self._unused[0].path.name != path.name:
            report(f"{path} is there already: recording to {self._unused[0].path.name}")
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def show(self, snapshot: Snapshot) -> None:
        """Hand it to the encoder, or leave it out."""
        timeline = self._timelines.setdefault(snapshot.source, _Timeline(self._fps))
        frames = timeline.frames_for(snapshot, self._now())
        if not frames:
            return
        try:
            self._queue.put((snapshot, frames), block=self._wait)
        except queue.Full:
            self.left_out += 1
            return
        timeline.written += frames

    def close(self) -> None:
        """Finish the files."""
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._thread.join()
        if self.left_out:
            self._report(f"{self.left_out:,} images are not in the recording: encoding them took too long")

    def _work(self) -> None:
        for snapshot, frames in iter(self._queue.get, None):
            try:
                self._record(snapshot, frames)
            except Exception as error:  # whatever it is: the run goes on without a recording
                self._end(snapshot.source, error)
        for source in self._files:
            self._end(source)
        for file in self._unused:
            file.close()

    def _record(self, snapshot: Snapshot, frames: int) -> None:
        if snapshot.source not in self._files:
            self._files[snapshot.source] = self._unused.pop() if self._unused else self._another(snapshot.source)
        file = self._files[snapshot.source]
        if file:
            file.write(draw(snapshot) if self._drawn else snapshot.image, frames)

    def _another(self, source: str) -> VideoFile | None:
        self._files[source] = None  # for good, should it fail
        file = VideoFile(self._path, self._fps)
        self._report(f"recording {source} to {file.path.name}")
        return file

    def _end(self, source: str, failure: Exception | None = None) -> None:
        """Finish a source's file, and say what went wrong, once."""
        file, self._files[source] = self._files[source], None
        try:
            if file:
                file.close()
        except Exception as error:
            failure = failure or error
        if failure:
            self._report(f"the recording of {source} has ended, and the run goes on: {first_line(failure)}")


class _Timeline:
    """How many frames of one source each image stands for. written: frames so far."""

    def __init__(self, fps: float) -> None:
        self.written = 0
        self._fps = fps
        self._started: float | None = None
        self._in_trouble = False

    def frames_for(self, snapshot: Snapshot, now: float) -> int:
        """0 for an image that is too early, and for all but the first of a camera in trouble."""
        if snapshot.age_ms is None:
            return 1
        went_on, self._in_trouble = self._in_trouble and bool(snapshot.trouble), bool(snapshot.trouble)
        if went_on:
            return 0
        if self._started is None:
            self._started = now
        behind = (now - self._started) * self._fps - self.written
        longest = max(1.0, LONGEST_GAP_S * self._fps) - 1
        if behind > longest:
            self._started += (behind - longest) / self._fps
        # No camera is punctual: three quarters of a frame are no reason to pass over one or to repeat it.
        return 0 if behind < -0.75 else 1 + int(max(0.0, min(behind, longest)) + 0.25)
