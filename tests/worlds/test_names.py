"""Invented names: distinct, pronounceable, and the same for the same seed."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.worlds._names import invent

classes = st.lists(st.sampled_from(["aves", "mammalia", "amphibia"]), min_size=1, max_size=200)


@settings(deadline=None, max_examples=30)
@given(classes=classes, seed=st.integers(0, 2**32))
def test_names_are_distinct_and_can_be_said(classes: list[str], seed: int) -> None:
    names = invent(classes, seed)
    assert [name.class_name for name in names] == classes
    for attribute in ("code", "scientific", "common"):
        assert len({getattr(name, attribute) for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z]{6}[1-9]\d*", name.code)
        assert re.fullmatch(r"[A-Z][a-z]+ [a-z]+", name.scientific)
        assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", name.common)
        assert not re.search(r"[^aeiou ]{5}", name.scientific.lower()), "a knot of consonants"
    assert names == invent(classes, seed)


def test_species_of_a_genus_are_of_one_kind() -> None:
    kinds: dict[str, set[str]] = {}
    for name in invent(["aves", "mammalia"] * 200, 1):
        kinds.setdefault(name.scientific.split()[0], set()).add(name.common.split()[1])
    assert all(len(kind) == 1 for kind in kinds.values())
    assert 40 < len(kinds) < 200


def test_names_last_for_a_large_fauna() -> None:
    names = invent(["aves"] * 12_000, 0)
    assert len({name.common for name in names}) == 12_000
