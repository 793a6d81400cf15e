from __future__ import annotations

import pytest

from quadrat.errors import UnknownNameError, UsageError
from quadrat.scoring import primary_direction, score_info, score_names


def test_every_name_is_described() -> None:
    for name in score_names():
        info = score_info(name)
        assert info.name == name
        assert info.meaning
    assert {"weighted_r2", "rmse_log1p", "f1_10", "geoscore", "coverage_90"} <= set(score_names())


def test_names_with_a_number_or_a_species_are_known() -> None:
    assert score_info("coverage_80").meaning.endswith("0.8 is best")
    assert "40 %" in score_info("f1_40").meaning
    assert "kea1" in score_info("watchlist_ap_kea1").meaning


def test_directions() -> None:
    assert primary_direction("weighted_r2") is True
    assert primary_direction("mae") is False
    assert primary_direction("crps") is False
    with pytest.raises(UsageError, match=r"'list_ratio_10' cannot choose a model"):
        primary_direction("list_ratio_10")


def test_only_scores_that_are_computed_and_can_choose_are_offered() -> None:
    computed = ["map", "list_ratio_10", "geoscore"]
    for name in ("list_ratio_10", "mapp"):
        with pytest.raises(UsageError, match=r": geoscore, map\.$"):
            primary_direction(name, computed)


def test_an_unknown_name_offers_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'weighted_r2'"):
        primary_direction("weigted_r2")
