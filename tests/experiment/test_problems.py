import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import parse

from .test_overrides import CELLS, PHOTOS

REGIONS = (
    "must be a region's name (us_northwest, benelux, uk, california, japan) or a box "
    "[lon_min, lat_min, lon_max, lat_max] in degrees"
)


@pytest.mark.parametrize(
    ("document", "override", "expected"),
    [
        (
            CELLS,
            'split.regions=["japn"]',
            f"split.regions.0: {REGIONS}. Did you mean 'japan'? (given: 'japn')",
        ),
        (CELLS, "split.regions=france", f"split.regions.0: {REGIONS} (given: 'france')"),
        (CELLS, "split.regions=[[100, 0, 90]]", f"split.regions.0: {REGIONS}"),
        (
            CELLS,
            "split.regions=[japan, [1, 2, 3, 4]]",
            "split.regions: must be a list, and words in it need quotes "
            "(given: '[japan, [1, 2, 3, 4]]')",
        ),
        (
            CELLS,
            "split.validation_years=abc",
            "split.validation_years: must be a list (given: 'abc')",
        ),
        (
            CELLS,
            "network.environment_input=3",
            "network.environment_input: must be true, false or a list (given: 3)",
        ),
        (
            CELLS,
            "loss.kind=an",
            "loss.kind: must be 'bce', 'asl', 'focal' or 'assume-negative' (given: 'an'). "
            "Did you mean 'assume-negative'?",
        ),
        (CELLS, "data.watchlist=3", "data.watchlist: must be a list or a path (given: 3)"),
        (
            PHOTOS,
            "loss.weights=equl",
            "loss.weights: must be 'score', 'equal' or a section of keys (given: 'equl'). "
            "Did you mean 'equal'?",
        ),
        (
            PHOTOS,
            'loss.weights={ a_g = "x" }',
            "loss.weights.a_g: input should be a valid number, unable to parse string as a number "
            "(given: 'x')",
        ),
        (
            PHOTOS,
            "views.size=-3",
            "views.size: sides must lie between 16 and 8192 pixels (given: -3)",
        ),
    ],
)
def test_one_problem_a_key_in_words_of_the_file(document, override, expected):
    with pytest.raises(ExperimentError) as caught:
        parse(document, [override])
    assert caught.value.problems == (expected,)


def test_a_list_in_a_file_shows_how_lists_are_written():
    with pytest.raises(ExperimentError, match=r'must be a list, such as \["elevation_m"\]'):
        parse({**CELLS, "data": {"table": "t", "environment": "elevation_m"}})
