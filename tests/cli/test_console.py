from __future__ import annotations

from quadrat.cli._console import print_scores


def test_scores_without_a_value_are_told_apart(capsys):
    metrics = {
        "primary": "map",
        "scores": {"map": 0.5, "watchlist_map": None},
        "intervals": {"map": [0.4, 0.6]},
        "baselines": {"prevalence": {"map": 0.2, "watchlist_map": None, "geoscore": 0.1}},
    }
    print_scores(metrics, ["geoscore", "watchlist_map"])
    table, last = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert [line.split()[0] for line in table.splitlines()] == ["score", "map", "geoscore"]
    assert last == "without a value here: watchlist_map"
