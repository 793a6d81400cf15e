from __future__ import annotations

import pytest

from quadrat.report import words


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.6723, "0.672"),
        (-0.44, "−0.440"),
        (9.31, "9.31"),
        (0.00042, "0.00042"),
        (0.0, "0.000"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (60, "60"),
        (7204739, "7,204,739"),
        (None, "–"),
        (float("nan"), "–"),
        (True, "–"),
    ],
)
def test_number(value: object, told: str) -> None:
    assert words.number(value) == told


def test_scores_are_spoken_in_their_own_unit() -> None:
    assert words.spoken("weighted_r2", 0.672) == "67 %"
    assert words.spoken("weighted_r2", -0.003) == "0 %"
    assert words.spoken("weighted_r2", -1.234) == "weighted R² −1.23"
    assert words.spoken_interval("r2", [-2.5, 0.1], beside=-1.2) == " [−2.50 to 0.100]"
    assert words.spoken("rmse", 9.31, "g") == "9.31 g"
    assert words.spoken("map", 0.4721) == "0.472"
    assert words.spoken_interval("weighted_r2", [0.61, 0.72]) == " [61–72 %]"
    assert words.spoken_interval("r2", [-0.05, 0.12]) == " [−5 to 12 %]"
    assert words.spoken_interval("rmse", [8.1, 10.6], "g") == " [8.10–10.6 g]"
    assert words.spoken_interval("map", None) == ""
    assert words.spoken_interval("map", [None, 0.5]) == ""


@pytest.mark.parametrize(
    ("score", "label"),
    [
        ("weighted_r2", "weighted R²"),
        ("rmse_log1p", "root mean square error on log(1 + x)"),
        ("top10_recall", "recall of the top 10"),
        ("coverage_90", "coverage of the 90 % interval"),
        ("watchlist_ap_hawgoo", "average precision of hawgoo"),
        ("something_new", "something new"),
    ],
)
def test_labels(score: str, label: str) -> None:
    assert words.words(score).label == label


def test_every_usual_score_has_a_direction_or_none() -> None:
    assert words.direction("weighted_r2") == "↑"
    assert words.direction("rmse") == "↓"
    assert words.direction("list_ratio_10") == ""
    assert words.direction("something_new") == ""
    assert "weighted by target" in words.meaning("weighted_r2")


def test_units() -> None:
    assert words.unit_of("Dry_Green_g", {}) == "g"
    assert words.unit_of("Dry_Green_g", {"Dry_Green_g": "g/m²"}) == "g/m²"
    assert words.unit_of("SPEI_30d", {}) == ""
    assert words.unit_of("g", {}) == ""


def test_small_tables_leave_out_the_logarithmic_twins() -> None:
    assert words.everyday(["r2", "r2_log1p", "rmse"], "rmse") == ["rmse", "r2"]
    assert words.everyday(["r2", "r2_log1p"], "r2_log1p") == ["r2_log1p", "r2"]
    assert words.everyday(["f1_5", "f1_10", "watchlist_ap_x", "map"], "map") == ["map", "f1_10"]


def test_lists() -> None:
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.counted(1, "group") == "1 group"
    assert words.counted(1200, "group") == "1,200 groups"
