"""Invented names of species that can be pronounced: scientific, common, and short codes."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_ONSETS: tuple[str, ...] = (*"bcdfghklmnprstvz", "br", "dr", "gl", "pr", "st", "tr")
_VOWELS = "aeiou"
_LINKS = "blnrt"
_CODAS = ("", "", "", "l", "n", "r", "s")
_GENUS_ENDINGS = ("a", "ia", "us", "ella", "ops", "is")
_EPITHET_ENDINGS = ("ensis", "a", "us", "ica", "ata", "ii", "ina", "oides")
_PLACE_ENDINGS = ("ian", "ese", "an", "ine")
_SPECIES_PER_GENUS = 4

_KINDS = {
    "aves": (
        *("Bunting", "Crake", "Dove", "Finch", "Flycatcher", "Grebe", "Heron", "Kite", "Lark"),
        *("Owl", "Pipit", "Plover", "Shrike", "Swift", "Tern", "Thrush", "Warbler", "Wren"),
    ),
    "mammalia": ("Bat", "Deer", "Fox", "Hare", "Marten", "Mouse", "Shrew", "Squirrel", "Vole"),
    "amphibia": ("Frog", "Newt", "Salamander", "Toad", "Treefrog"),
}


@dataclass(frozen=True)
class SpeciesName:
    """What a taxonomy says of a species.

    Attributes:
        code: Six letters and a number.
        scientific: Genus and epithet.
        common: English name.
        class_name: Taxonomic class.
    """

    code: str
    scientific: str
    common: str
    class_name: str


def invent(classes: Sequence[str], seed: int) -> list[SpeciesName]:
    """Name one species for each entry of ``classes``; no two names or codes are equal.

    Species of a genus share their kind: every *Tralona* is a wren.

    Args:
        classes: ``"aves"``, ``"mammalia"`` or ``"amphibia"``, one a species.
        seed: Seed of the names.
    """
    source = random.Random(seed)
    genera: set[str] = set()
    places: defaultdict[str, set[str]] = defaultdict(set)
    codes: Counter[str] = Counter()
    current: dict[str, tuple[str, str, set[str]]] = {}
    names = []
    for class_name in classes:
        if class_name not in current or source.random() < 1 / _SPECIES_PER_GENUS:
            genus = _new_word(source, _GENUS_ENDINGS, genera).capitalize()
            current[class_name] = (genus, source.choice(_KINDS[class_name]), set())
        genus, kind, epithets = current[class_name]
        epithet = _new_word(source, _EPITHET_ENDINGS, epithets)
        place = _new_word(source, _PLACE_ENDINGS, places[kind])
        stem = place[:3] + kind[:3].lower()
        codes[stem] += 1
        common = f"{place.capitalize()} {kind}"
        names.append(SpeciesName(f"{stem}{codes[stem]}", f"{genus} {epithet}", common, class_name))
    return names


def _new_word(source: random.Random, endings: Sequence[str], taken: set[str]) -> str:
    """Make words until one is new, and remember it."""
    word = _word(source, endings)
    while word in taken:
        word = _word(source, endings)
    taken.add(word)
    return word


def _word(source: random.Random, endings: Sequence[str]) -> str:
    stem = source.choice(_ONSETS) + source.choice(_VOWELS) + source.choice(_CODAS)
    stem += source.choice(_ONSETS)
    if source.random() < 0.5:
        stem += source.choice(_VOWELS) + source.choice(_LINKS)
    return stem + source.choice(endings)
