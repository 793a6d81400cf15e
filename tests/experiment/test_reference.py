from __future__ import annotations

from pathlib import Path

from quadrat.experiment.reference import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "experiment.md"


def test_the_page_is_what_the_schema_says():
    """Write it again with: python -m quadrat.experiment.reference > docs/experiment.md"""
    assert PAGE.read_text(encoding="utf-8") == reference_page()


def test_every_section_of_both_families_is_there():
    page = reference_page()
    for title in ("[optimiser]", "[[balance]]", "[network]", "[data]", "[split]", "[encoder]"):
        assert f"### `{title}`" in page
