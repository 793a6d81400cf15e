"""What is mended after training, on validation cells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section

RECALL = 0.9


class CalibrateSection(Section):
    """What is mended after training, on validation cells."""

    probabilities: Literal["none", "global", "species"] = Field(
        "species",
        description="Straight lines that turn logits into calibrated ones. global: one for all "
        "species; species: one each, drawn towards the global one where positives are few.",
    )
    thresholds: Literal["none", "f1", "recall"] = Field(
        "f1",
        description="The probability from which each species counts as present. f1: best F1; "
        "recall: finds about a given share of its occurrences. Few positives draw it to the global "
        "one.",
    )
    recall: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description=f"The share for thresholds = 'recall', {RECALL} by default; only with it.",
    )

    @model_validator(mode="after")
    def _recall_is_used(self) -> CalibrateSection:
        if self.recall is not None and self.thresholds != "recall":
            raise ValueError("recall is used with thresholds = 'recall' only; remove one of them")
        return self
