"""`[[balance]]` and `[balance_method]`: identities between targets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import Section


class BalanceSection(Section):
    """One identity between targets: the total is the sum of its parts."""

    total: str = Field(description="Target that is the sum.")
    parts: tuple[str, ...] = Field(min_length=1, description="Targets that add up to the total.")


class BalanceMethodSection(Section):
    """How predictions are made to obey the identities."""

    kind: Literal["project", "project-covariance", "none"] = Field(
        "project",
        description="project: the nearest values that obey all identities and are not negative; "
        "project-covariance: nearest in the metric of the out-of-fold errors; none: as predicted.",
    )
    tolerance: float = Field(
        0.5,
        ge=0.0,
        description="Largest violation in a table, in the targets' unit, that passes without "
        "mention.",
    )
