"""How well the novelty separates known images from foreign ones, with bootstrap intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.train.results.intervals import RESAMPLES

Numbers = NDArray[np.float64]


def auroc(known: Numbers, foreign: Numbers) -> float:
    """The probability that a foreign image has a higher novelty than a known one; ties count half.

    >>> auroc(np.array([0.1, 0.2]), np.array([0.2, 0.9]))
    0.875
    """
    ordered = np.sort(known)
    below = np.searchsorted(ordered, foreign, "left") + np.searchsorted(ordered, foreign, "right")
    return float(below.mean() / 2 / len(known))


def missed_share(known: Numbers, foreign: Numbers) -> float:
    """The share of the foreign images that pass for known where 95 % of the known ones do: FPR at 95 % TPR."""
    return float((foreign <= np.quantile(known, 0.95)).mean())


def separation(known: Numbers, foreign: Numbers, seed: int = 0) -> dict[str, Any]:
    """Plain values for JSON: both measures with 95 % intervals, and the shares that are called unknown."""
    measures: dict[str, Callable[[Numbers, Numbers], float]] = {"auroc": auroc, "fpr_at_95_tpr": missed_share}
    rng = np.random.default_rng(seed)
    drawn = [(rng.choice(known, len(known)), rng.choice(foreign, len(foreign))) for _ in range(RESAMPLES)]
    found: dict[str, Any] = {"images": len(foreign)}
    for name, measure in measures.items():
        low, high = np.quantile([measure(*pair) for pair in drawn], (0.025, 0.975))
        found |= {name: round(measure(known, foreign), 6), f"{name}_95_interval": [round(low, 6), round(high, 6)]}
    shares = {"known": known, "foreign": foreign}
    return found | {f"{name}_called_unknown": round(float((values > 1).mean()), 6) for name, values in shares.items()}


def separation_sentence(found: dict[str, Any], foreign: str) -> str:
    """For people. foreign: the folder."""
    (low, high), (least, most) = found["auroc_95_interval"], found["fpr_at_95_tpr_95_interval"]
    return (
        f"against the {found['images']:,} images in {foreign}: AUROC {found['auroc']:.3f} (95 % interval {low:.3f} to "
        f"{high:.3f}), FPR at 95 % TPR {found['fpr_at_95_tpr']:.1%} ({least:.1%} to {most:.1%}); called unknown: "
        f"{found['foreign_called_unknown']:.1%} of them, and {found['known_called_unknown']:.1%} of the known images"
    )
