"""A live run: cameras, streams or a video, answered frame by frame for as long as it is wanted."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event
from time import monotonic, sleep

from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.console import Progress, note
from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.escaping import escape
from edgeclf.runtime.frames.camera import Camera
from edgeclf.runtime.frames.capture import ANYTHING, Given, Wanted, camera_names, is_live, shown_name
from edgeclf.runtime.frames.decode import MAX_PIXELS, Checks
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.frames.sources import open_source
from edgeclf.runtime.frames.videos import frame_rate, is_video
from edgeclf.runtime.live.feeds import CameraFeed, Feed, PlayedFeed
from edgeclf.runtime.live.health import HealthServer, Pulse
from edgeclf.runtime.live.hooks import Hooks, parse_hook
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.live.pace import Pace
from edgeclf.runtime.live.recorder import Recorder
from edgeclf.runtime.live.screens import open_screens
from edgeclf.runtime.live.session import Listeners, Session
from edgeclf.runtime.live.steady import AS_IT_COMES, Steadying
from edgeclf.runtime.live.summary import LiveSummary
from edgeclf.runtime.live.systemd import notify_ready, notify_stopping
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.pipeline import Worker
from edgeclf.runtime.results.row import Answering, Row
from edgeclf.runtime.results.sinks import STDOUT
from edgeclf.runtime.signals import Interrupts

_SLICE_S = 0.2
"""So long at most nobody looks for a signal, a lost camera, the end of the time."""
_NOTE_EVERY_S = 600.0
_STALLED_AFTER_S = 10.0
_RETRY_S = 1.0
_USUAL_FPS = 25.0


@dataclass(frozen=True)
class LiveOptions:
    """What is asked of a live run.

    every_frame: rows for all frames, and not only for changes. on_label: `LABEL:COMMAND`, each run at most every
    `on_label_every_s` seconds. max_fps: answers a second. duration_s: how long it lasts; None for ever. give_up_s: how long
    a camera may be silent, at the start too; None: it must be there at the start, and later it is waited for.
    """

    sources: tuple[str, ...]
    output: str = STDOUT
    json_lines: bool = False
    every_frame: bool = False
    topk: int = 1
    all_scores: bool = False
    steadying: Steadying = AS_IT_COMES
    on_label: tuple[str, ...] = ()
    on_label_every_s: float = 10.0
    save_unsure: Path | None = None
    save_unsure_most_bytes: int = 1_000_000_000
    show: bool = False
    view: str | None = None
    save: Path | None = None
    max_fps: float | None = None
    duration_s: float | None = None
    give_up_s: float | None = None
    accept: frozenset[str] = frozenset()
    wanted: Wanted = ANYTHING
    heartbeat: Path | None = None
    health: str | None = None
    sampling: Sampling = EVERY_FRAME
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.max_fps is not None and not self.max_fps > 0:
            raise OptionError(f"--max-fps takes a number above 0, not {self.max_fps:g}")
        if self.save_unsure and not self.steadying.threshold:
            raise OptionError("--save-unsure keeps pictures with a confidence below --conf; give --conf as well")
        for what in self.accept - {"black", "frozen"}:
            raise OptionError(f"--accept takes black or frozen, not {what!r}")


@contextmanager
def open_feed(options: LiveOptions) -> Iterator[Feed]:
    """The frames of a live run. Raises DeviceError for a camera that is not there, OptionError for what cannot be mixed."""
    live = [name for name in options.sources if is_live(name)]
    if live and len(live) < len(options.sources):
        raise OptionError(f"{shown_name(live[0])} is live and other sources are files; run them one after the other")
    if live and options.sampling.stride > 1:
        raise OptionError("--vid-stride counts the frames of videos; a camera takes --every 2s or --max-fps 5")
    with closing(_open_cameras(options) if live else _play(options)) as feed:
        yield feed


def run_live(
    options: LiveOptions, feed: Feed, model: Path, device: str = "auto", card: ModelCard | None = None
) -> LiveSummary:
    """Answer the feed's frames until it ends, or the time is over, or the window is closed, or a signal comes.

    card: describes a model without one. `signal` of the summary is set when a signal ended it. Raises EdgeclfError.
    """
    classifier = Classifier.open(model, device=device, card=card)
    return watch(options, feed, classifier, model_id(model))


def watch(options: LiveOptions, feed: Feed, classifier: Classifier, model: str) -> LiveSummary:
    """As `run_live`, with a model that is open; model: as in Row."""
    keep_freed_memory()
    with ExitStack() as stack:
        pulse = stack.enter_context(_open_pulse(options))
        progress = stack.enter_context(Progress("watching", unit="frames", every_s=_NOTE_EVERY_S))
        screens = stack.enter_context(open_screens(options.show, options.view, _open_recorder(options, feed), pulse))
        listeners = Listeners(
            stack.enter_context(open_log(options.output, json_lines=options.json_lines, make_way=progress.make_way)),
            stack.enter_context(closing(_hooks(options, classifier.card))),
            screens,
            UnsureFolder(options.save_unsure, options.save_unsure_most_bytes) if options.save_unsure else None,
            options.every_frame,
        )
        topk = len(classifier.card.classes) if options.all_scores else options.topk
        session = Session(feed.names, Answering(topk), options.steadying, model, listeners)
        worker = Worker(classifier, len(feed.names), Checks(options.max_pixels))
        session.summary.setting = f"{classifier.backend.engine} on {classifier.backend.device}"
        _Loop(options, feed, worker, session, pulse, progress).run()
    return session.summary


def _open_recorder(options: LiveOptions, feed: Feed) -> Recorder | None:
    """A camera does not wait for the encoder, a video does."""
    if options.save is None:
        return None
    fps = (feed.fps or _USUAL_FPS) if feed.waits else min(options.max_fps or inf, feed.fps or _USUAL_FPS)
    return Recorder(options.save, fps, wait=feed.waits)


@dataclass
class _Loop:
    options: LiveOptions
    feed: Feed
    worker: Worker
    session: Session
    pulse: Pulse
    progress: Progress

    def run(self) -> None:
        """Until the end, whatever it is."""
        pace = Pace(self.options.max_fps)
        screens, until = self.session.listeners.screens, monotonic() + (self.options.duration_s or inf)
        with Interrupts() as interrupts:
            while not (interrupts.signal or screens.closed or monotonic() >= until):
                if pace.rest(_SLICE_S):
                    self._be_seen(0)
                    continue
                drawn_at = monotonic()
                frames = self.feed.next(_SLICE_S)
                if frames is None:
                    break
                if frames:
                    self.feed.rest_until(pace.turn())
                    self._answer(frames, drawn_at)
                self._be_seen(len(frames))
        self._sum_up(interrupts.signal)

    def _answer(self, frames: Sequence[Frame], drawn_at: float) -> None:
        for outcome in self.worker.classify(frames):
            row = self.session.answer(outcome)
            self.session.summary.latency.add(monotonic() - (outcome.frame.captured_at or drawn_at))
            self.progress.advance(detail=_said(row))

    def _be_seen(self, answers: int) -> None:
        """Tell those who watch over it how it is. Raises DeviceError when a camera is given up."""
        troubles = self.feed.troubles()
        for number, trouble in troubles.items():
            self.session.lose(number, trouble)
        lines = [f"{self.feed.names[number]}: {trouble}" for number, trouble in troubles.items()]
        self.pulse.beat(answers, fps=self.session.fps, age_ms=self.session.age_ms, trouble=lines)
        if not answers:
            self.session.listeners.screens.refresh()

    def _sum_up(self, signal: int | None) -> None:
        summary, feed = self.session.summary, self.feed
        summary.now, summary.elapsed_s, summary.signal = self.progress.new, self.progress.elapsed_s, signal
        summary.dropped, summary.losses, summary.lost_s = feed.dropped, feed.losses, feed.lost_s


@contextmanager
def _open_pulse(options: LiveOptions) -> Iterator[Pulse]:
    """For supervisors; told that it has started and that it ends."""
    stalled_after_s = max(_STALLED_AFTER_S, 3 / (options.max_fps or inf))
    pulse = Pulse(stalled_after_s, options.heartbeat)
    with closing(HealthServer(options.health, pulse)) if options.health else nullcontext():
        notify_ready()
        try:
            yield pulse
        finally:
            notify_stopping()


def _open_cameras(options: LiveOptions) -> CameraFeed:
    news = Event()
    names = [name for source in options.sources for name in camera_names(source)]
    with ExitStack() as opened:
        cameras, rates = [], []
        for number, name in enumerate(names):
            camera, given = _open_camera(options, name, number, news)
            opened.callback(camera.close)
            cameras.append(camera)
            rates.append(given.fps)
        opened.pop_all()
    return CameraFeed(cameras, news, min(filter(None, rates), default=None), options.give_up_s)


def _play(options: LiveOptions) -> PlayedFeed:
    source = open_source(*options.sources, sampling=options.sampling, max_pixels=options.max_pixels)
    rates = (frame_rate(name, options.sampling) for name in options.sources if is_video(name))
    return PlayedFeed(source, next(rates, None))


def _open_camera(options: LiveOptions, name: str, number: int, news: Event) -> tuple[Camera, Given]:
    """A camera that gives pictures. Raises DeviceError: at once, or where `give_up_s` is set, after so long."""
    until = monotonic() + (options.give_up_s or 0)
    while True:
        camera = Camera.named(name, options.wanted, accept=options.accept, source=number, new=news)
        try:
            given = camera.start()
        except DeviceError:
            if monotonic() + _RETRY_S > until:
                raise
            sleep(_RETRY_S)
            continue
        differs = given.differs_from(options.wanted)
        note(f"{camera.name}: {given}{f' ({differs})' if differs else ''}")
        return camera, given


def _hooks(options: LiveOptions, card: ModelCard) -> Hooks:
    return Hooks([parse_hook(text, card.classes) for text in options.on_label], options.on_label_every_s)


def _said(row: Row) -> str:
    """The answer in a few words, for the line of progress."""
    if row.status == "error":
        return f"{row.error}: {row.detail}"
    age = "" if row.age_ms is None else f", {row.age_ms:.0f} ms"
    return f"{escape(row.label or row.status)} {row.confidence or 0:.0%}{age}"
