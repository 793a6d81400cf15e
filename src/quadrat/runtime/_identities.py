"""What a balance says: totals and their parts, what is wrong with them, what they expand into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from quadrat.errors import closest


@dataclass(frozen=True)
class Identity:
    """A target that is the sum of others, ``total = Σ parts``."""

    total: str
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))

    def __str__(self) -> str:
        return f"{self.total} = {' + '.join(self.parts)}"


def problems(targets: Sequence[str], identities: Sequence[Identity]) -> list[str]:
    """Everything that is wrong with a set of identities, one sentence each."""
    found = [f"the target '{name}' is named twice" for name in _repeated(targets)]
    found += [
        f"'{name}' is the total of several identities; a total is defined once"
        for name in _repeated([identity.total for identity in identities])
    ]
    for identity in identities:
        found += _local_problems(targets, identity)
    if found:
        return found
    return _cycles(identities) or _double_counts(identities) or _overlaps(identities)


def expand(identities: Sequence[Identity]) -> dict[str, set[str]]:
    """Every total as the set of targets that are no total and add up to it.

    The identities must be free of cycles and double counts.
    """
    return {total: set(counts) for total, counts in _leaf_counts(identities).items()}


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _local_problems(targets: Sequence[str], identity: Identity) -> list[str]:
    found = [
        f"'{name}' in '{identity}' is not a target.{closest(name, targets)}"
        for name in dict.fromkeys((identity.total, *identity.parts))
        if name not in targets
    ]
    if not identity.parts:
        found.append(f"the total '{identity.total}' has no parts")
    if identity.total in identity.parts:
        found.append(f"'{identity}' has its total among its parts")
    found += [f"'{name}' counts twice in '{identity}'" for name in _repeated(identity.parts)]
    return found


def _cycles(identities: Sequence[Identity]) -> list[str]:
    """Totals that lead back to themselves: what is left when resolvable totals are taken away."""
    left = {identity.total: set(identity.parts) for identity in identities}
    while True:
        resolved = [total for total, parts in left.items() if not parts & left.keys()]
        if not resolved:
            break
        for total in resolved:
            del left[total]
    if not left:
        return []
    names = ", ".join(f"'{name}'" for name in left)
    return [f"the totals {names} are defined through each other"]


def _leaf_counts(identities: Sequence[Identity]) -> dict[str, Counter[str]]:
    by_total = {identity.total: identity for identity in identities}
    counts: dict[str, Counter[str]] = {}

    def count(name: str) -> Counter[str]:
        if name not in by_total:
            return Counter([name])
        if name not in counts:
            counts[name] = sum((count(part) for part in by_total[name].parts), Counter())
        return counts[name]

    for identity in identities:
        count(identity.total)
    return counts


def _double_counts(identities: Sequence[Identity]) -> list[str]:
    return [
        f"'{leaf}' counts {times} times in the total '{total}'"
        for total, counts in _leaf_counts(identities).items()
        for leaf, times in counts.items()
        if times > 1
    ]


def _overlaps(identities: Sequence[Identity]) -> list[str]:
    """Totals that share parts without one being a piece of the other."""
    contents = expand(identities)
    parts = {identity.total: set(identity.parts) for identity in identities}
    found = []
    for position, one in enumerate(identities):
        for other in identities[position + 1 :]:
            mine, theirs = contents[one.total], contents[other.total]
            nested = mine < theirs or theirs < mine
            linked = one.total in parts[other.total] or other.total in parts[one.total]
            if mine & theirs and not nested and not linked:
                shared = ", ".join(f"'{name}'" for name in sorted(mine & theirs))
                found.append(
                    f"'{one}' and '{other}' share {shared}, but neither total contains the other; "
                    "a part belongs to one total of a level"
                )
    return found
