from __future__ import annotations

from pathlib import Path

import pytest

from quadrat.search.page import write_page
from quadrat.search.results import StudyResult, TrialRecord

RANGES = {
    "network.scale": {"low": 0.1, "high": 4.0, "log": True},
    "optimiser.batch_size": {"choices": [256, 1024]},
}


def trial(number: int, state: str, value: float | None, reason: str = "") -> TrialRecord:
    values = {"network.scale": 0.1 + number, "optimiser.batch_size": 256}
    return TrialRecord(number, state, value, values, 3, 1.5, reason, number == 0)


def result(folder: Path, *trials: TrialRecord, **changes: object) -> StudyResult:
    known = {
        "folder": folder,
        "primary": "geoscore",
        "higher_is_better": True,
        "trials": trials,
        "importances": {},
        "best_experiment": None,
        "own": {"network.scale": 0.75, "optimiser.batch_size": 1024},
        "settings": {"experiment": {"name": "birds <1>"}, "space": RANGES, "epochs": 3},
    }
    return StudyResult(**{**known, **changes})


def test_the_page_says_what_was_found(tmp_path):
    found = result(
        tmp_path,
        trial(0, "finished", 0.4),
        trial(1, "finished", 0.5),
        trial(2, "given up", 0.1),
        trial(3, "invalid", None, "they do not go together"),
        importances={"network.scale": 0.9, "optimiser.batch_size": 0.1},
    )
    page = write_page(found).read_text()
    assert "The best geoscore is 0.5, of trial 1" in page
    assert "own values have 0.4" in page
    assert "birds &lt;1&gt;" in page
    assert "they do not go together" in page
    assert page.count("<svg xmlns") == 3
    for name in ("history", "importances", "slices"):
        assert f'id="figure-{name}"' in page


@pytest.mark.parametrize("given_up", [0.1, None])
def test_a_search_without_a_finished_trial_has_a_page_too(tmp_path, given_up):
    page = write_page(result(tmp_path, trial(0, "given up", given_up))).read_text()
    assert "No trial has finished." in page
    assert "too few to say" in page


def test_lower_may_be_better(tmp_path):
    trials = [trial(0, "finished", 0.4), trial(1, "finished", 0.5)]
    found = result(tmp_path, *trials, higher_is_better=False)
    assert found.best == trials[0]
    assert "None of the others was better" in write_page(found).read_text()
