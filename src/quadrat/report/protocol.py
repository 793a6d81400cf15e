"""How the data were divided, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quadrat.report.contents import Contents
from quadrat.report.words import counted, listed, number


def where_judged(contents: Contents) -> str:
    """On what the scores were made, as the beginning of a sentence."""
    protocol = contents.protocol
    kind = str(protocol.get("kind", ""))
    if contents.family == "occurrence":
        return _cells_judged(kind, protocol)
    by = " × ".join(_names(protocol.get("by")))
    sentences = {
        "group": f"On photos from unseen {by} groups" if by else "On photos from unseen groups",
        "leave-group-out": f"On photos from each {by or 'group'} in turn, left out of training,",
        "spatial-block": f"On photos from unseen blocks of {number(protocol.get('block_km'))} km",
        "column": f"On the photos that the column {protocol.get('column')} holds out,",
        "random": "On single photos held out at random",
    }
    return sentences.get(kind, "On held-out photos")


def _cells_judged(kind: str, protocol: Mapping[str, Any]) -> str:
    elsewhere = {"survey": "On another survey", "table": "On another table"}
    if protocol.get("judged") in elsewhere:
        return elsewhere[protocol["judged"]]
    if "block" in protocol:
        return "In spatial blocks that it did not learn from,"
    block = number(protocol.get("block_km"))
    sentences = {
        "cell": "In cells that it did not learn from,",
        "spatial-block": f"In blocks of {block} km that it did not learn from,",
        "region": f"In unseen regions ({', '.join(_names(protocol.get('regions')))})",
        "year": "In years that it did not learn from,",
    }
    return sentences.get(kind, "In places that it did not learn from,")


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(name) for name in value] if isinstance(value, list | tuple) else []


_NEIGHBOURS = (
    "The neighbours of held-out cells were in training, so scores in an unknown region are lower."
)


def how_split(contents: Contents) -> str:
    """The protocol in one or two sentences."""
    protocol = contents.protocol
    told = str(protocol.get("words") or "")
    if told:
        beside = _NEIGHBOURS if protocol.get("kind") == "cell" else ""
        return f"{told[:1].upper()}{told[1:]}{'' if told.endswith('.') else '.'} {beside}".rstrip()
    counts = [
        counted(protocol[key], singular)
        for key, singular in (("samples", "sample"), ("groups", "group"), ("folds", "fold"))
        if isinstance(protocol.get(key), int) and not isinstance(protocol.get(key), bool)
    ]
    kind = str(protocol.get("kind", ""))
    by = " × ".join(_names(protocol.get("by")))
    sentences = {
        "group": f"No {f'{by} group' if by else 'group'} is ever in training and held out at once.",
        "random": "Single samples were drawn at random, so photos of one visit stand on both "
        "sides: these scores flatter.",
        "leave-group-out": f"Every {by or 'group'} was left out once and predicted by a model that "
        "never saw it.",
        "spatial-block": "Squares on the map were held out whole, so neighbours do not leak.",
        "column": "The table itself says what is held out.",
        "cell": f"Single cells were held out at random. {_NEIGHBOURS}",
        "region": "Whole regions were held out of training and validation.",
        "year": "Whole years were held out.",
    }
    told = f"{listed(counts)}. " if counts else ""
    return told + sentences.get(kind, "How the split was made is listed below.")
