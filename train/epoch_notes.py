"""What a training says on its way: what a stage will cost and has reached, what each epoch reached, what Ctrl-C keeps."""

from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.checkpoint import Checkpoint
from edgeclf.train.stages import Stage

_NAMES = {"all": "training", "head": "head", "fine-tune": "fine-tuning"}
_WORTH_SAYING_S = 15.0


def note_stage(stage: Stage, state: Checkpoint) -> None:
    """At the start of a stage."""
    keeps = "Ctrl-C keeps the best so far" if state.best_epoch else "Ctrl-C keeps the best so far once an epoch is complete"
    note(f"{_NAMES[stage.name]}: at most {plural(stage.epochs - state.epoch, 'epoch')}; {keeps}")


def note_cost(stage: Stage, rest_s: float) -> None:
    """Once it is known how long the rest of a stage takes: nothing is said if that is short."""
    if rest_s > _WORTH_SAYING_S:
        note(f"{_NAMES[stage.name]}: about {_duration(rest_s)}, or less if it stops early")


def note_epoch(stage: Stage, state: Checkpoint, epoch_s: float) -> None:
    """After an epoch that took `epoch_s` seconds: one line, which stays in view."""
    row = state.rows[-1]
    note(
        f"epoch {state.epoch}/{stage.epochs}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.1%}; "
        f"validation {row['val_loss']:.3f}, {row['val_accuracy']:.1%}; {_duration(epoch_s)}"
    )


def note_left_out(stage: Stage, errors: int, images: int) -> None:
    """In place of a stage that could not show a gain."""
    right = f"{images - errors:,} of {plural(images, 'validation image')} are right"
    note(f"{_NAMES[stage.name]}: left out, because {right}, and a gain could not be told from chance")


def note_result(stage: Stage, state: Checkpoint, seconds: float) -> None:
    """After a stage: what it reached, and whether that is kept. seconds: since its start, or since it was resumed."""
    if not state.best_epoch:
        return
    best = state.rows[state.best_epoch - 1]
    accuracy = f"{best['val_accuracy']:.1%} of the validation images"
    if best["stage"] == stage.name:
        note(f"{_NAMES[stage.name]}: {accuracy} in {_duration(seconds)}, kept")
    else:
        note(f"{_NAMES[stage.name]}: no better in {_duration(seconds)}; the {best['stage']} is kept, with {accuracy}")


def _duration(seconds: float) -> str:
    """
    >>> [_duration(seconds) for seconds in (0.42, 42.3, 250, 9000)]
    ['0.4 s', '42 s', '4 min', '2.5 h']
    """
    if seconds < 90:
        return f"{seconds:.{0 if seconds >= 9.95 else 1}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
