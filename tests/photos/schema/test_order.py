from __future__ import annotations

from typing import Any

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import parse

LEAST: dict[str, Any] = {
    "family": "photos",
    "data": {"table": "t.csv", "targets": ["green", "dead"], "categorical": ["state"]},
    "split": {"kind": "group", "by": ["state"]},
}


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"sampling": {"kind": "class"}}, "sampling.column: sampling.kind = 'class' needs"),
        ({"sampling": {"kind": "target"}}, "sampling.column: sampling.kind = 'target' needs"),
        ({"sampling": {"column": "state"}}, "sampling.column: sampling.kind = 'shuffle' has no"),
        ({"sampling": {"power": 0.3}}, "sampling.power: sampling.kind = 'shuffle' has no use"),
        (
            {"sampling": {"kind": "target", "column": "gren"}},
            "sampling.column: 'gren' is not in data.targets. Did you mean 'green'?",
        ),
        ({"sampling": {"kind": "class", "column": "dead"}}, "sampling.column: 'dead' is a target"),
        ({"curriculum": {"kind": "fractal"}}, "curriculum.target: curriculum.kind = 'fractal' n"),
        ({"curriculum": {"stages": 4}}, "curriculum.stages: curriculum.kind = 'none' has no use"),
        (
            {"curriculum": {"kind": "target", "target": "clover"}},
            "curriculum.target: 'clover' is not in data.targets",
        ),
        (
            {"curriculum": {"kind": "target", "target": "dead"}, "optimiser": {"epochs": 2}},
            "curriculum.stages: the last stages would never open",
        ),
        (
            {
                "curriculum": {"kind": "fractal", "target": "dead"},
                "encoder": {"name": "precomputed:a.npy", "rows": "r.txt"},
            },
            "curriculum.kind: 'fractal' looks at photos",
        ),
    ],
)
def test_what_does_not_go_together_is_told_at_its_key(sections: dict[str, Any], told: str):
    with pytest.raises(ExperimentError) as caught:
        parse({**LEAST, **sections})
    assert any(problem.startswith(told) for problem in caught.value.problems), str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"sampling": {"kind": "class", "column": "state", "power": 1.0}},
        {"curriculum": {"kind": "fractal", "target": "dead", "stages": 2}},
    ],
)
def test_a_resolved_experiment_reads_back(sections: dict[str, Any]):
    made = parse({**LEAST, **sections})
    assert parse(made.content()).content() == made.content()
