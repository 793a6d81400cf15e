"""What can go wrong, as one tree.

Every message says what is wrong, where, why, and what to do about it. The command line prints the
message without a traceback and leaves with the class's ``exit_code``.

* QuadratError: the job failed (1)
    - UsageError: the request itself is wrong (2)
        + ExperimentError: an experiment file that cannot be used
        + UnknownNameError: a name that no registry knows
        + MissingExtraError: an optional package that is not installed
    - DataError: tables or photos that cannot be used
    - RunError: a run folder that is not what was asked for
    - TrainingError: training cannot go on
        + NonFiniteLossError: the loss became NaN or infinite
    - Stopped: the user or the system asked to stop; the state was saved (130)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

_SHOWN = 20


class QuadratError(Exception):
    """The base of every error that quadrat raises on purpose."""

    exit_code = 1


class UsageError(QuadratError):
    """The request is wrong: an option, a name, an experiment file."""

    exit_code = 2


class ExperimentError(UsageError):
    """An experiment file with problems, all of them listed.

    Args:
        problems: One line a problem, each beginning with the key's path.
        source: The file, or None for an experiment made in Python.
    """

    def __init__(self, problems: Sequence[str], source: Path | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        where = str(source) if source else "the experiment"
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{where}: {count}\n" + _listed(self.problems))


class UnknownNameError(UsageError):
    """A name that is not among the known ones; the message offers the closest."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        listed = ", ".join(self.known) if self.known else "none"
        super().__init__(f"unknown {kind} '{name}'.{closest(name, self.known)} Known: {listed}.")


class MissingExtraError(UsageError):
    """An optional package is needed and not installed."""


class DataError(QuadratError):
    """Tables or photos that cannot be used as they are.

    Args:
        what: What is wrong and where, in one sentence.
        problems: The single findings (file, row, column, value), one line each.
        fix: What the user can do.
    """

    def __init__(self, what: str, problems: Sequence[str] = (), fix: str = "") -> None:
        self.problems = tuple(problems)
        self.fix = fix
        parts = [what]
        if self.problems:
            parts.append(_listed(self.problems))
        if fix:
            parts.append(f"To mend it: {fix}")
        super().__init__("\n".join(parts))


class RunError(QuadratError):
    """A run folder that is missing, unfinished, or of another kind than asked for."""


class TrainingError(QuadratError):
    """Training cannot go on."""


class NonFiniteLossError(TrainingError):
    """The loss became NaN or infinite.

    Args:
        epoch: The epoch, counted from 1.
        step: The optimiser step, counted from 1.
        samples: The ids of the samples whose loss is not finite.
        part: What was being fitted (such as ``"fold 2"``).
    """

    def __init__(self, epoch: int, step: int, samples: Sequence[str], part: str = "") -> None:
        self.epoch, self.step, self.samples = epoch, step, tuple(samples)
        where = f"{part}, " if part else ""
        named = ", ".join(self.samples[:_SHOWN]) or "unknown"
        more = f" and {len(self.samples) - _SHOWN} more" if len(self.samples) > _SHOWN else ""
        super().__init__(
            f"the loss is not finite ({where}epoch {epoch}, step {step}); samples: {named}{more}.\n"
            "To mend it: look at the targets and photos of these samples, then try a smaller "
            "optimiser.learning_rate, optimiser.clip = 1.0 or optimiser.precision = 'fp32'."
        )


class Stopped(QuadratError):  # noqa: N818  (a wish that was followed, not a fault)
    """Training stopped on a signal, after its state was saved."""

    exit_code = 130


def closest(name: str, known: Iterable[str]) -> str:
    """The sentence that offers the closest known name, or nothing.

    Args:
        name: The name that was given.
        known: The names that exist.

    Returns:
        ``" Did you mean 'x'?"`` or an empty string.
    """
    folded = {other.casefold(): other for other in known}
    match = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.55)
    return f" Did you mean '{folded[match[0]]}'?" if match else ""


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def _listed(lines: Sequence[str]) -> str:
    shown = [f"  - {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  … and {len(lines) - _SHOWN} more")
    return "\n".join(shown)
