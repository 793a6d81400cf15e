"""Which species are learnt, from which labels."""

from __future__ import annotations

from pydantic import Field

from quadrat.experiment import Section


class LabelsSection(Section):
    """Which species are learnt."""

    min_observations: int = Field(
        50, ge=0, description="Leave out species with fewer training samples (cell and week)."
    )
