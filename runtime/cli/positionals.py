"""The words of `clf-run` that are no options: perhaps a model, then sources."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from edgeclf.runtime.errors import OptionError

_EXAMPLE = "photos/"


def split_words(words: Sequence[str], model: Path | None, sources: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The model, if one is named, and all sources: the words first, then `sources`.

    The first word is the model if it names one. model: from --model; every word is then a source. sources: from --source.
    Raises OptionError without a source, and for a second model.
    """
    from edgeclf.runtime.model.named_model import has_model_suffix, names_model

    if model is None and words and names_model(words[0]):
        model, words = Path(words[0]), words[1:]
        if not (words or sources):
            raise OptionError(_no_source(model))
    for word in words:
        if has_model_suffix(word):
            raise OptionError(_second_model(word, model))
    if not (words or sources):
        raise OptionError(f"no source is named; give a folder, an image or a quoted pattern, as in: clf-run {_EXAMPLE}")
    return model, (*words, *sources)


def _no_source(model: Path) -> str:
    name = shlex.quote(str(model))
    if model.is_dir():
        return f"{model} holds a model; name a source: clf-run {name} {_EXAMPLE}; or, for its images, clf-run -s {name}"
    return f"{model} is the model, and no source is named; add one: clf-run {name} {_EXAMPLE}"


def _second_model(word: str, model: Path | None) -> str:
    if model is None:
        return f"{word} is a model, and the model comes first: clf-run {shlex.quote(word)} {_EXAMPLE}"
    return f"{word} is a model, and so is {model}; name one of them, and then the sources"
