"""A live run: the frames of cameras, streams or videos are answered one by one."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic, sleep

from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cameras.capture import is_live
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS
from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.live.feeds import Feed, open_cameras, open_videos
from edgeclf.runtime.live.health import HealthServer, Heartbeat
from edgeclf.runtime.live.hooks import Hooks, parse_hook
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.live.options import LiveOptions
from edgeclf.runtime.live.playback import Playback
from edgeclf.runtime.live.session import Session, SessionOutputs
from edgeclf.runtime.live.summary import LiveSummary
from edgeclf.runtime.live.systemd import notify_ready, notify_stopping
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.live.viewers.open_viewers import OpenViewers, open_viewers
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.model.further_outputs import HEATMAP
from edgeclf.runtime.pipeline import Worker
from edgeclf.runtime.results.drawn_images import RECORD_INSTEAD
from edgeclf.runtime.results.explain_options import EXPLAIN
from edgeclf.runtime.results.heatmap_drawing import HeatmapDrawing
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.run_options import RunOptions
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.masking import mask
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts

_SHARED = ("sources", "output", "json_lines", "topk", "threshold", "unknown", "max_pixels", "sampling")
"""Fields of RunOptions that a live run uses; the others are for images in files."""
_POLL_S = 0.2
"""The longest wait for a frame. Signals, lost cameras and the end of the time are checked in between."""
_PROGRESS_EVERY_S = 600.0
_STALLED_AFTER_S = 10.0
_DEFAULT_FPS = 25.0
_ON_LABEL_EVERY_S = 10.0
_SAVE_UNSURE_MAX_BYTES = 1_000_000_000


@contextmanager
def open_feed(options: RunOptions, live: LiveOptions) -> Iterator[Feed]:
    """Open the frames of a live run.

    Raises DeviceError for a camera that does not open, OptionError for options or sources that do not go together.
    """
    _check(options, live)
    cameras = [name for name in options.sources if is_live(name)]
    if cameras and len(cameras) < len(options.sources):
        raise OptionError(f"{mask(cameras[0])} is live and other sources are files; use a run for each")
    with closing(_open_cameras(options, live) if cameras else _open_videos(options, live)) as feed:
        yield feed


def run_live(
    options: RunOptions,
    live: LiveOptions,
    feed: Feed,
    model: Path,
    *,
    device: str = "auto",
    card: ModelCard | ModelDescription | None = None,
) -> LiveSummary:
    """Classify the feed's frames until it ends, the time is over, the user closes the window, or a signal arrives.

    card: describes a model that has none. In the summary, `signal` or `failure` says what ended the run, if one of them did.
    Raises EdgeclfError for errors before the first answer.
    """
    classifier = Classifier.open(model, device=device, card=card)
    return classify_feed(options, live, feed, classifier, model_id(model))


def classify_feed(options: RunOptions, live: LiveOptions, feed: Feed, classifier: Classifier, model: str) -> LiveSummary:
    """Like `run_live`, with an open model. model: its identifier, as in Row."""
    keep_freed_memory()
    with ExitStack() as stack:
        heartbeat = stack.enter_context(_open_heartbeat(live, options.sampling.every_s or 0.0))
        recorder = _open_recorder(live.record, feed, options.sampling.every_s) if live.record else None
        maps_of = classifier.card.preprocess if HEATMAP in classifier.card.outputs else None
        viewers = stack.enter_context(open_viewers(live.show, live.view, recorder, heartbeat, maps_of))
        log = stack.enter_context(
            open_log(
                options.output,
                options.schema(classifier.card),
                json_lines=options.json_lines,
                several_sources=len(feed.names) > 1,
            )
        )
        outputs = SessionOutputs(
            log=log,
            hooks=stack.enter_context(closing(_hooks(live, classifier.card))),
            viewers=viewers,
            unsure=_unsure_folder(live),
            log_every_frame=live.rows == "all",
        )
        builder = options.row_builder(classifier.card, model)
        session = Session(feed.names, builder, live.smoothing(options.threshold, builder.highest_novelty), outputs)
        session.summary.setting = f"{classifier.backend.engine} on {classifier.backend.device}"
        loop = _Loop(
            feed=feed,
            worker=Worker(classifier, len(feed.names), Checks(options.max_pixels)),
            session=session,
            heartbeat=heartbeat,
            viewers=viewers,
            progress=Progress("watching", unit="frame", every_s=_PROGRESS_EVERY_S),
            duration_s=live.duration_s or inf,
            playback=Playback() if feed.waits and live.is_watched and not live.fast else None,
        )
        with loop.progress:
            loop.run()
        if loop.feed_has_ended and viewers.watched and session.summary.signal is None:
            _show_end(session.summary, viewers)
    return session.summary


@dataclass(kw_only=True)
class _Loop:
    """The loop of a live run, over the frames of a feed. playback: holds each frame back until it is due."""

    feed: Feed
    worker: Worker
    session: Session
    heartbeat: Heartbeat
    viewers: OpenViewers
    progress: Progress
    duration_s: float
    playback: Playback | None = None
    feed_has_ended: bool = False

    def run(self) -> None:
        """Run to the end. An error or a signal that ends it is in the session's summary."""
        summary = self.session.summary
        with Interrupts() as interrupts:
            try:
                self._process_frames(interrupts)
            except EdgeclfError as error:
                summary.failure = error
        summary.classified_now, summary.elapsed_s = self.progress.new, self.progress.elapsed_s
        summary.signal = interrupts.signal
        summary.dropped, summary.losses, summary.lost_s = self.feed.dropped, self.feed.losses, self.feed.lost_s

    def _process_frames(self, interrupts: Interrupts) -> None:
        deadline = monotonic() + self.duration_s

        def is_over() -> bool:
            return bool(interrupts.signal) or self.viewers.closed or monotonic() >= deadline

        while not is_over():
            asked_at = monotonic()
            frames = self.feed.next_frames(_POLL_S)
            if frames is None:
                self.feed_has_ended = True
                return
            if frames:
                asked_at += self._hold(frames[0], is_over)
                self._answer(frames, asked_at)
            self._report_state(len(frames))
        if not interrupts.signal:
            self.feed.require_frames()

    def _hold(self, frame: Frame, is_over: Callable[[], bool]) -> float:
        """Wait until the frame is due. Returns for how many seconds."""
        held_from = monotonic()
        due = held_from + (self.playback.wait_s(frame) if self.playback else 0.0)
        while (left_s := due - monotonic()) > 0 and not is_over():
            sleep(min(left_s, _POLL_S))
            if left_s > _POLL_S:
                self._report_state(0)
        return monotonic() - held_from

    def _answer(self, frames: Sequence[Frame], asked_at: float) -> None:
        self.worker.outputs = (HEATMAP,) if self.viewers.shows_heat else ()
        for outcome in self.worker.classify(frames):
            row = self.session.process(outcome)
            self.session.summary.latency.add(monotonic() - (outcome.frame.captured_at or asked_at))
            self.progress.advance(detail=_describe(row))

    def _report_state(self, answers: int) -> None:
        """Check the cameras and hooks, and record the heartbeat. Raises DeviceError for a camera that is given up."""
        troubles = self.feed.troubles()
        self.session.update_troubles(troubles)
        lines = [f"{self.feed.names[number]}: {trouble}" for number, trouble in troubles.items()]
        self.heartbeat.record(answers, fps=self.session.fps, age_ms=self.session.age_ms, trouble=lines)
        if not answers:
            self.viewers.refresh()


def _show_end(summary: LiveSummary, viewers: OpenViewers) -> None:
    """Keep the last image. With a person at the terminal it stays until Ctrl-C, or until the window is closed."""
    if not sys.stderr.isatty():
        viewers.end(summary.sentence)
        return
    sentence = f"{summary.sentence}; Ctrl-C to close"
    viewers.end(sentence)
    note(sentence)
    with Interrupts() as interrupts:
        while not (interrupts.signal or viewers.closed):
            viewers.refresh()
            sleep(_POLL_S)


def _check(options: RunOptions, live: LiveOptions) -> None:
    """Raise OptionError for options that do not go together."""
    if options.save:
        raise OptionError(f"--save is for image files; {RECORD_INSTEAD}")
    if options.explain.folder:
        raise OptionError(f"{EXPLAIN} is for image files; {HeatmapDrawing.live_advice}")
    options.require_only(_SHARED, "is for images in files, and this is a live run")
    live.smoothing(options.threshold)
    if live.save_unsure and not options.threshold:
        raise OptionError("--save-unsure saves images with a confidence below --conf; give --conf as well")
    if live.record and os.path.realpath(options.output) == os.path.realpath(live.record):
        raise OptionError(f"-o and --record both name {options.output}; use another file for one of them")


def _open_cameras(options: RunOptions, live: LiveOptions) -> Feed:
    if live.fast:
        raise OptionError("--fast is for videos, and cameras have their own speed; leave it out")
    if options.sampling.stride > 1:
        raise OptionError(
            "--vid-stride counts the frames of videos; for a camera use --every, such as --every 0.2s for 5 answers a second"
        )
    return open_cameras(
        options.sources,
        live.camera,
        accept=frozenset(live.accept),
        every_s=options.sampling.every_s,
        give_up_s=live.give_up_s,
    )


def _open_videos(options: RunOptions, live: LiveOptions) -> Feed:
    if live.camera != CAMERA_DEFAULTS or live.accept or live.give_up_s:
        flags = "--camera-size, --camera-fps, --camera-fourcc, --accept and --give-up"
        raise OptionError(f"{flags} are for cameras, and no source is a camera; leave them out")
    return open_videos(options.sources, options.sampling, options.max_pixels)


@contextmanager
def _open_heartbeat(live: LiveOptions, every_s: float) -> Iterator[Heartbeat]:
    """The heartbeat, with its server. Tells systemd about the start and the end of the run."""
    heartbeat = Heartbeat(max(_STALLED_AFTER_S, 3 * every_s))
    with closing(HealthServer(live.health, heartbeat)) if live.health else nullcontext():
        notify_ready()
        try:
            yield heartbeat
        finally:
            notify_stopping()


def _open_recorder(path: Path, feed: Feed, every_s: float | None) -> Recorder:
    """A recorder at the rate of the answers. Cameras do not wait for the encoder; videos do."""
    fps = feed.fps or _DEFAULT_FPS
    if every_s and not feed.waits:  # the rate of a video is that of its sampled frames already
        fps = min(fps, 1 / every_s)
    return Recorder(path, fps, wait=feed.waits)


def _hooks(live: LiveOptions, card: ModelCard) -> Hooks:
    hooks = [parse_hook(text, card.classes) for text in live.on_label]
    return Hooks(hooks, live.on_label_every_s or _ON_LABEL_EVERY_S)


def _unsure_folder(live: LiveOptions) -> UnsureFolder | None:
    if live.save_unsure is None:
        return None
    return UnsureFolder(live.save_unsure, live.save_unsure_max_bytes or _SAVE_UNSURE_MAX_BYTES)


def _describe(row: Row) -> str:
    """The answer in a few words, for the progress line."""
    if row.status == "error":
        return f"{row.error}: {row.detail}"
    age = "" if row.age_ms is None else f", {row.age_ms:.0f} ms"
    return f"{escape(row.label or row.status)} {row.confidence or 0:.0%}{age}"
