"""The file that keeps a study: opened, shared by processes, and mended after a kill."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DatabaseError

from quadrat.errors import RunError, UsageError
from quadrat.runs import process_exists

BEAT_SECONDS = 30.0
GRACE_SECONDS = 5 * BEAT_SECONDS
"""A trial whose process has given no sign of life for so long is held for dead."""

KILLED = "its process was killed; it is repeated"

_SQLITE = (".db", ".sqlite", ".sqlite3")
_JOURNAL = (".log", ".journal")
_WAIT_SECONDS = 60.0
_HOST = socket.gethostname()
_TOKEN = secrets.token_hex(8)  # tells a process from an earlier one that had its number


def require_suffix(path: Path) -> None:
    """Checks that a name can be a storage.

    Raises:
        UsageError: It ends otherwise.
    """
    if path.suffix not in (*_SQLITE, *_JOURNAL):
        raise UsageError(f"the storage {path} must end in .db (SQLite) or .log (Optuna's journal).")


def open_storage(path: Path) -> BaseStorage:
    """Opens or makes the file of a study.

    Args:
        path: ``.db`` is SQLite, ``.log`` is Optuna's journal, which also works on network drives.

    Raises:
        UsageError: The suffix is neither.
        RunError: The file is not what its suffix says, or is damaged.
    """
    require_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.suffix in _JOURNAL:
            return JournalStorage(JournalFileBackend(str(path)))
        wait = {"connect_args": {"timeout": _WAIT_SECONDS}}
        return RDBStorage(f"sqlite:///{path}", engine_kwargs=wait)
    except (DatabaseError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read as a study ({error}). Give another file to --storage; of a "
            "journal that was cut off, remove the last line."
        ) from error


def open_study(
    storage: BaseStorage,
    begun_with: Mapping[str, Any],
    *,
    name: str,
    higher_is_better: bool,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
) -> optuna.Study:
    """Makes a study, or goes on with the one of this name.

    Args:
        storage: Where it is kept.
        begun_with: What must be the same for trials to be comparable, as JSON can hold it.
        name: The study's name.
        higher_is_better: The direction of the score.
        sampler: Chooses values.
        pruner: Gives trials up.

    Raises:
        RunError: The study was begun with something else.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize" if higher_is_better else "minimize",
        load_if_exists=True,
        sampler=sampler,
        pruner=pruner,
    )
    now = {key: json.dumps(value, sort_keys=True) for key, value in begun_with.items()}
    then = study.user_attrs.get("begun_with")
    if then is None:
        study.set_user_attr("begun_with", now)
    elif then != now:
        changed = [
            _change(key, then.get(key), now[key]) for key in now if then.get(key) != now[key]
        ]
        raise RunError(
            f"the storage holds a study '{name}' that was begun with {'; '.join(changed)}: its "
            "trials cannot be compared with new ones. Set it back, or give another --storage."
        )
    return study


def _change(key: str, then: str | None, now: str) -> str:
    """What a study was begun with, and what is asked for now; both are JSON."""
    before, after = json.loads(then or "null"), json.loads(now)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return f"{key} = {before}, now {after}"
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return f"another {key} ({', '.join(names)})"


@contextlib.contextmanager
def alive(trial: optuna.Trial) -> Iterator[None]:
    """Leaves signs of life in the storage while a trial runs."""
    trial.set_user_attr("worker", {"host": _HOST, "pid": os.getpid(), "token": _TOKEN})
    trial.set_user_attr("beat", _now())
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            trial.set_user_attr("beat", _now())

    thread = threading.Thread(target=beat, name="trial heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def repeat_killed(study: optuna.Study) -> int:
    """Marks the trials of dead processes as failed and has them tried again.

    Returns:
        How many there were.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return sum(repeat(study, trial) for trial in running if not _is_alive(trial))


def repeat(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Fails a trial that did not end and puts its values into the queue.

    Returns:
        False where another process has done so already.
    """
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):  # it has ended meanwhile
        return False
    values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    kept = {key: trial.user_attrs[key] for key in ("given",) if key in trial.user_attrs}
    study.enqueue_trial(values, user_attrs={"repeats": trial.number, **kept})
    return True


def repeated_numbers(trials: list[FrozenTrial]) -> set[int]:
    """The numbers of trials that did not end and were put into the queue again."""
    return {t.user_attrs["repeats"] for t in trials if "repeats" in t.user_attrs}


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna without its log lines; progress is told in our own."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _is_alive(trial: FrozenTrial) -> bool:
    beat = trial.user_attrs.get("beat")
    seen = datetime.fromisoformat(beat) if beat else trial.datetime_start
    if seen is None:
        return True
    if seen.tzinfo is None:
        seen = seen.astimezone()
    fresh = (datetime.now(UTC) - seen).total_seconds() < GRACE_SECONDS
    worker = trial.user_attrs.get("worker")
    if worker is None or worker["host"] != _HOST:
        return fresh
    if worker["pid"] == os.getpid():
        return bool(worker["token"] == _TOKEN)
    return fresh and process_exists(int(worker["pid"]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
