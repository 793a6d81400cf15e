"""What `quadrat explain` says of families that have no photos to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from quadrat.ensemble import family as ensembles
from quadrat.errors import UsageError
from quadrat.explanations import Question
from quadrat.photos import family as photos
from quadrat.runs import Run
from quadrat.workflow import explain


def test_ensembles_are_explained_member_by_member(tmp_path: Path):
    with pytest.raises(UsageError, match="on the runs that it is made of"):
        ensembles.explain(Run(tmp_path), Question())


def test_photos_have_no_response_curves(tmp_path: Path):
    for chosen in ({"species": ["kea"]}, {"week": 3}):
        with pytest.raises(UsageError, match="--species and --week choose response curves"):
            photos.explain(Run(tmp_path), Question(tmp_path, **chosen))


def test_no_samples_cannot_be_explained(tmp_path: Path):
    with pytest.raises(UsageError, match="--samples 0"):
        explain(tmp_path, out=tmp_path / "why", samples=0)
