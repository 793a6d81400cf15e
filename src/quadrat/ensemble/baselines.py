"""What an ensemble must beat: its best member alone, and the plain mean of its members."""

from __future__ import annotations

from collections.abc import Mapping

from quadrat.scoring import Metrics

PLAIN_MEAN = "members_mean"
"""The baseline of the unweighted mean of the members."""
BEST_MEMBER = "best_member"
"""The baseline of the member with the best primary score."""

METHODS = {"mean": "their mean", "median": "their median", "weighted": "a weighted mean"}
"""How members are combined, in words."""


def beats(metrics: Metrics, name: str) -> bool:
    """Whether the primary score is better than a baseline's, or there is nothing to compare."""
    scores: Mapping[str, float] = metrics.baselines.get(name, {})
    other = scores.get(metrics.primary)
    if other is None:
        return True
    difference = metrics.scores[metrics.primary] - other
    return difference > 0.0 if metrics.higher_is_better else difference < 0.0


def not_beaten(metrics: Metrics, *, fitted: bool) -> list[str]:
    """A sentence for each of the two that the ensemble is not better than.

    Args:
        metrics: Its scores, with theirs as baselines.
        fitted: Whether its weights were fitted: only then the plain mean is a simpler choice.
    """
    found = []
    if fitted and not beats(metrics, PLAIN_MEAN):
        plain = metrics.baselines[PLAIN_MEAN].get(metrics.primary, float("nan"))
        found.append(
            f"the fitted weights do not beat the plain mean of the members ({metrics.primary} "
            f"{metrics.scores[metrics.primary]:.4g} against {plain:.4g}): use "
            "combine.method = 'mean'"
        )
    if not beats(metrics, BEST_MEMBER):
        found.append("the ensemble does not beat its best member alone")
    return found
