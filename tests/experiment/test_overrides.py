from typing import Any

import pytest

from quadrat.experiment import parse

CELLS: dict[str, Any] = {"family": "occurrence", "data": {"table": "cells.parquet"}}
PHOTOS: dict[str, Any] = {
    "family": "photos",
    "data": {"table": "t.csv", "targets": ["a_g"]},
    "split": {"kind": "random"},
    "encoder": {"name": "timm:x", "weights": "none"},
}


def value_of(document, override):
    value: object = parse(document, [override])
    for name in override.partition("=")[0].split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(
    ("document", "override", "expected"),
    [
        (CELLS, "split.regions=japan", ("japan",)),
        (CELLS, "split.regions=japan, uk", ("japan", "uk")),
        (CELLS, "split.regions=[japan,uk]", ("japan", "uk")),
        (CELLS, 'split.regions=["japan", [1, 2, 3, 4]]', ("japan", (1.0, 2.0, 3.0, 4.0))),
        (CELLS, 'data.environment="a, b"', ("a, b",)),
        (CELLS, "network.environment_input=elevation_m", ("elevation_m",)),
        (CELLS, "network.environment_input=true", True),
        (PHOTOS, "data.targets=b_g,a_g", ("b_g", "a_g")),
        (PHOTOS, "views.size=224,448", (224, 448)),
        (PHOTOS, "views.size=224", 224),
    ],
)
def test_lists_need_no_brackets_where_nothing_else_can_be_meant(document, override, expected):
    assert value_of(document, override) == expected


def test_text_stays_text_where_a_key_takes_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert value_of(CELLS, "data.watchlist=a,b.txt") == tmp_path / "a,b.txt"
    assert value_of(PHOTOS, "data.image=[a,b]") == "[a,b]"
