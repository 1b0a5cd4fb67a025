"""A live run: cameras, streams or a video, answered frame by frame for as long as it is wanted."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic

from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cameras.capture import is_live
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, RequestedSettings
from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.live.feeds import Feed, open_cameras, play
from edgeclf.runtime.live.health import HealthServer, Pulse
from edgeclf.runtime.live.hooks import Hooks, parse_hook
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.live.rate_limit import RateLimiter
from edgeclf.runtime.live.session import Listeners, Session
from edgeclf.runtime.live.smoothing import NO_SMOOTHING, SmoothingOptions
from edgeclf.runtime.live.summary import LiveSummary
from edgeclf.runtime.live.systemd import notify_ready, notify_stopping
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.live.viewers.open_viewers import Screens, open_screens
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.digest import model_id
from edgeclf.runtime.pipeline import Worker
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.terminal.console import STDOUT
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.masking import mask
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts

_SLICE_S = 0.2
"""So long at most nobody looks for a signal, a lost camera, the end of the time."""
_NOTE_EVERY_S = 600.0
_STALLED_AFTER_S = 10.0
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
    topk: int | None = 1
    smoothing: SmoothingOptions = NO_SMOOTHING
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
    wanted: RequestedSettings = CAMERA_DEFAULTS
    heartbeat: Path | None = None
    health: str | None = None
    sampling: Sampling = EVERY_FRAME
    max_pixels: int = MAX_PIXELS

    @property
    def most_a_second(self) -> float | None:
        """Answers for each camera."""
        rates = (self.max_fps, 1 / self.sampling.every_s if self.sampling.every_s else None)
        return min(filter(None, rates), default=None)

    def __post_init__(self) -> None:
        if self.max_fps is not None and not self.max_fps > 0:
            raise OptionError(f"--max-fps takes a number above 0, not {self.max_fps:g}")
        if self.save_unsure and not self.smoothing.threshold:
            raise OptionError("--save-unsure keeps images with a confidence below --conf; give --conf as well")
        written = [os.path.realpath(path) for path in (self.output, self.heartbeat, self.save) if path]
        if len(set(written)) < len(written):
            raise OptionError("-o, --heartbeat and --save name one file; each needs one of its own")


@contextmanager
def open_feed(options: LiveOptions) -> Iterator[Feed]:
    """The frames of a live run. Raises DeviceError for a camera that is not there, OptionError for what cannot be mixed."""
    live = [name for name in options.sources if is_live(name)]
    if live and len(live) < len(options.sources):
        raise OptionError(f"{mask(live[0])} is live and other sources are files; run them one after the other")
    with closing(_cameras(options) if live else _played(options)) as feed:
        yield feed


def _cameras(options: LiveOptions) -> Feed:
    if options.sampling.stride > 1:
        raise OptionError("--vid-stride counts the frames of videos; a camera takes --every 2s or --max-fps 5")
    rate = options.most_a_second
    return open_cameras(
        options.sources, options.wanted, accept=options.accept, most_a_second=rate, give_up_s=options.give_up_s
    )


def _played(options: LiveOptions) -> Feed:
    if options.wanted != CAMERA_DEFAULTS or options.accept or options.give_up_s:
        raise OptionError("--resolution, --fps, --fourcc, --accept and --give-up are for cameras, and no source is one")
    return play(options.sources, options.sampling, options.max_pixels)


def run_live(
    options: LiveOptions, feed: Feed, model: Path, device: str = "auto", card: ModelCard | None = None
) -> LiveSummary:
    """Answer the feed's frames until it ends, or the time is over, or the window is closed, or a signal comes.

    card: describes a model without one. Of the summary, `signal` is set when a signal ended it, `failure` when an error did.
    Raises EdgeclfError for what goes wrong before the first answer.
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
            stack.enter_context(open_log(options.output, json_lines=options.json_lines, aside=progress.aside)),
            stack.enter_context(closing(_hooks(options, classifier.card))),
            screens,
            UnsureFolder(options.save_unsure, options.save_unsure_most_bytes) if options.save_unsure else None,
            options.every_frame,
        )
        topk = options.topk or len(classifier.card.classes)
        session = Session(feed.names, RowBuilder(topk, model=model), options.smoothing, listeners)
        worker = Worker(classifier, len(feed.names), Checks(options.max_pixels))
        session.summary.setting = f"{classifier.backend.engine} on {classifier.backend.device}"
        _Loop(options, feed, worker, session, pulse, screens, progress).run()
    return session.summary


def _open_recorder(options: LiveOptions, feed: Feed) -> Recorder | None:
    """A camera does not wait for the encoder, a video does."""
    if options.save is None:
        return None
    fps = (feed.fps or _USUAL_FPS) if feed.waits else min(options.most_a_second or inf, feed.fps or _USUAL_FPS)
    return Recorder(options.save, fps, wait=feed.waits)


@dataclass
class _Loop:
    options: LiveOptions
    feed: Feed
    worker: Worker
    session: Session
    pulse: Pulse
    screens: Screens
    progress: Progress

    def run(self) -> None:
        """Until the end, whatever it is."""
        summary = self.session.summary
        with Interrupts() as interrupts:
            try:
                self._go_on(interrupts)
            except EdgeclfError as error:
                summary.failure = error
        summary.now, summary.elapsed_s, summary.signal = self.progress.new, self.progress.elapsed_s, interrupts.signal
        summary.dropped, summary.losses, summary.lost_s = self.feed.dropped, self.feed.losses, self.feed.lost_s

    def _go_on(self, interrupts: Interrupts) -> None:
        limiter = RateLimiter(self.options.max_fps if self.feed.waits else None)
        until = monotonic() + (self.options.duration_s or inf)
        while not (interrupts.signal or self.screens.closed or monotonic() >= until):
            if limiter.rest(_SLICE_S):
                self._look_around(0)
                continue
            drawn_at = monotonic()
            frames = self.feed.next(_SLICE_S)
            if frames is None:
                return
            if frames:
                limiter.turn()
                self._answer(frames, drawn_at)
            self._look_around(len(frames))

    def _answer(self, frames: Sequence[Frame], drawn_at: float) -> None:
        for outcome in self.worker.classify(frames):
            row = self.session.answer(outcome)
            self.session.summary.latency.add(monotonic() - (outcome.frame.captured_at or drawn_at))
            self.progress.advance(detail=_said(row))

    def _look_around(self, answers: int) -> None:
        """After so many answers, perhaps none: at cameras, programs, supervisors. Raises DeviceError for one given up."""
        troubles = self.feed.troubles()
        self.session.look_after(troubles)
        lines = [f"{self.feed.names[number]}: {trouble}" for number, trouble in troubles.items()]
        self.pulse.beat(answers, fps=self.session.fps, age_ms=self.session.age_ms, trouble=lines)
        if not answers:
            self.screens.refresh()


@contextmanager
def _open_pulse(options: LiveOptions) -> Iterator[Pulse]:
    """For supervisors; told that it has started and that it ends."""
    stalled_after_s = max(_STALLED_AFTER_S, 3 / (options.most_a_second or inf))
    pulse = Pulse(stalled_after_s, options.heartbeat)
    with closing(HealthServer(options.health, pulse)) if options.health else nullcontext():
        notify_ready()
        try:
            yield pulse
        finally:
            notify_stopping()


def _hooks(options: LiveOptions, card: ModelCard) -> Hooks:
    return Hooks([parse_hook(text, card.classes) for text in options.on_label], options.on_label_every_s)


def _said(row: Row) -> str:
    """The answer in a few words, for the line of progress."""
    if row.status == "error":
        return f"{row.error}: {row.detail}"
    age = "" if row.age_ms is None else f", {row.age_ms:.0f} ms"
    return f"{escape(row.label or row.status)} {row.confidence or 0:.0%}{age}"
