"""What `quadrat check` finds out about an experiment and its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckReport:
    """The findings of a check, before any training.

    Args:
        errors: What stops a training, one line each.
        warnings: What a user should know, one line each.
        facts: Plain facts by name: rows, samples, folds, estimates of time, memory and disk.
        tables: Small tables by title (such as how targets shift between folds), rows as mappings.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether training may start."""
        return not self.errors

    def to_dict(self) -> dict[str, Any]:
        """The findings as ``check.json`` holds them."""
        return asdict(self)
