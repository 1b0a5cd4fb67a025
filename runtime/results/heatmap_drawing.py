"""The images of `--explain DIR`: where the model looked, for each answer."""

from dataclasses import dataclass, replace
from functools import cached_property

from edgeclf.runtime.drawing.answer_panel import with_caption
from edgeclf.runtime.drawing.canvas import with_room_for_text
from edgeclf.runtime.drawing.heatmap import lay_over
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.batching import BatchSplitter
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.further_outputs import HEATMAP
from edgeclf.runtime.model.occlusion import RUNS, occlusion_heatmap
from edgeclf.runtime.model.prediction import Prediction
from edgeclf.runtime.results.explain_options import EXPLAIN, ExplainOptions
from edgeclf.runtime.results.row import RowBuilder
from edgeclf.runtime.terminal.console import note

_COST = f"{RUNS} more runs of the model for each image"


@dataclass(frozen=True)
class HeatmapDrawing:
    """The heatmap of the answer's label over the image, or of its guess. builder: says which answers count."""

    flag = EXPLAIN
    says = "images with heatmaps"
    live_advice = "watch cameras and videos with --show or --view, and press h"
    mark = "edgeclf heatmap"
    classifier: Classifier
    builder: RowBuilder
    options: ExplainOptions

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the model is asked for with each answer."""
        return (HEATMAP,) if self.options.by == "maps" else ()

    def check(self) -> None:
        """Raise ModelError or OptionError for what cannot be drawn. Says once what occlusion costs."""
        card, path = self.classifier.card, self.classifier.path
        self.options.wanted(card.classes)
        if self.options.by == "occlusion":
            note(f"--explain-by occlusion: {_COST}")
        elif HEATMAP not in card.outputs:
            cures = f"add --explain-by occlusion, which costs {_COST}, or export it with clf-export --outputs all"
            raise ModelError(f"{path or 'the model'} has no heatmaps; {cures}")

    def wants(self, status: str, label: str) -> bool:
        return self._wanted is None or status in self._wanted or label in self._wanted

    def draw(self, frame: Frame, image: Pixels, answer: Prediction) -> Pixels:
        """Raises ImageError if the image cannot be read a second time, for occlusion."""
        preprocess = self.classifier.card.preprocess
        if answer.heatmap is None:
            maps = occlusion_heatmap(self._runner.probabilities, preprocess(frame.image), preprocess)
            answer = replace(answer, heatmap=maps)
        heat = answer.heat()
        assert heat is not None
        canvas = with_room_for_text(lay_over(image, heat, preprocess))
        status = self.builder.status(answer)
        says = answer.label if status == "ok" else f"{status}: {answer.label}?"
        return with_caption(canvas, says, f"{answer.confidence:.0%}")

    @cached_property
    def _runner(self) -> BatchSplitter:
        return BatchSplitter(self.classifier)

    @cached_property
    def _wanted(self) -> frozenset[str] | None:
        return self.options.wanted(self.classifier.card.classes)
