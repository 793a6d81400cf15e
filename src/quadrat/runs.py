"""A run folder: made, found, written atomically, read back.

Every file is written under a temporary name in the same folder, flushed to the disk and renamed,
so a reader (or a later resume) sees the old file or the new one and never half of one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.errors import RunError, Stopped, UsageError

if TYPE_CHECKING:
    from quadrat.experiment import Experiment

FORMAT_VERSION = 1
"""The layout of run folders that this version writes; it reads this one and all before it."""

HEARTBEAT_SECONDS = 5.0

_BEGINNING = {"experiment.toml", "provenance.json", "status.json"}
"""The files of a run that has done nothing yet."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block succeeds.

    Args:
        path: The final path; its folder is made.

    Yields:
        The path to write to. It keeps the suffix, for writers that go by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Says before any work is done that a file could not be written.

    Raises:
        UsageError: It is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder. Name a file in it.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: {folder} is a file. Choose another folder.")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}: {folder} may not be written to.")


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, as UTF-8 with plain line feeds."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, value: object) -> None:
    """Writes JSON atomically; numbers that are not finite become ``null``."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged ({error}). Resume or repeat the run.") from error


def finite(value: object) -> object:
    """A value as JSON can hold it: numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class History:
    """``history.jsonl``: one record an epoch, appended as training goes.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, object]) -> None:
        """Adds a record and flushes it to the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(finite(record), ensure_ascii=False, allow_nan=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def restore(self, fold: int, records: Sequence[Mapping[str, object]]) -> None:
        """Cuts one fold's records back to those of a saved state; other folds' records stay.

        Args:
            fold: The fold.
            records: Its records up to the saved state.
        """
        kept = [record for record in self.records() if record.get("fold") != fold]
        lines = [json.dumps(finite(r), ensure_ascii=False) for r in [*kept, *records]]
        write_text(self.path, "".join(line + "\n" for line in lines))

    def records(self) -> list[dict[str, Any]]:
        """All whole records; a line cut short by a crash is left out."""
        if not self.path.exists():
            return []
        records = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                records.append(json.loads(line))
        return records


@dataclass(frozen=True)
class Run:
    """A run folder.

    Args:
        folder: Where it lies.
    """

    folder: Path

    @classmethod
    def create(cls, out: Path, experiment: Experiment) -> Run:
        """Makes a new run folder ``<name>-<date>-<time>-<hash>`` with the resolved experiment.

        Args:
            out: The folder of runs.
            experiment: The experiment; a copy with every default goes into the run.
        """
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        base = f"{experiment.name}-{stamp}-{experiment.content_hash()[:4]}"
        for attempt in range(1, 1000):
            folder = out / (base if attempt == 1 else f"{base}-{attempt}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            run = cls(folder.resolve())
            run.write_experiment(experiment)
            return run
        raise RunError(f"{out} already holds a thousand runs named {base}.")

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """Opens an existing run folder.

        Raises:
            RunError: There is no run in it, or a later version of quadrat wrote it.
        """
        folder = Path(folder)
        if not (folder / "experiment.toml").is_file():
            there = "exists but has no experiment.toml" if folder.is_dir() else "does not exist"
            raise RunError(
                f"{folder} is not a run folder: it {there}. "
                "Give the folder that `quadrat train` printed on its last line."
            )
        run = cls(folder.resolve())
        run._check_version()
        return run

    @classmethod
    def latest(cls, out: Path, experiment: Experiment) -> Run | None:
        """The newest run of the same experiment that is not over, if there is one.

        Over is a run that finished as many epochs as the experiment has now. Runs that a living
        process trains are left to it.
        """
        found = []
        for path in out.glob("*/status.json"):
            run = cls(path.parent.resolve())
            with contextlib.suppress(RunError):
                status = run.status()
                same = status.get("experiment") == experiment.content_hash()
                enough = int(status.get("epochs", 0)) >= experiment.optimiser.epochs
                over = status.get("state") == "finished" and enough
                if same and not over and not run.is_alive():
                    found.append((path.stat().st_mtime, run))
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def path(self, name: str) -> Path:
        """A path inside the run folder."""
        return self.folder / name

    def fold(self, index: int) -> Path:
        """The folder of one fold; it is made if it does not exist."""
        folder = self.folder / "folds" / str(index)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def discard_if_unused(self) -> None:
        """Removes the folder of a run that ended before it had done anything."""
        if {path.name for path in self.folder.iterdir()} <= _BEGINNING:
            shutil.rmtree(self.folder)

    def experiment(self) -> Experiment:
        """The resolved experiment of this run."""
        from quadrat.experiment import load

        return load(self.path("experiment.toml"))

    def write_experiment(self, experiment: Experiment) -> None:
        """Writes the resolved experiment, every default written out and paths absolute."""
        write_text(self.path("experiment.toml"), experiment.to_toml())

    def metrics(self) -> dict[str, Any]:
        """The scores in ``metrics.json``.

        Raises:
            RunError: The run has not finished.
        """
        if not self.path("metrics.json").exists():
            if self.status().get("state") == "imported":
                raise RunError(
                    f"{self.folder} was imported and has no scores of its own. Judge it on a "
                    "table with `quadrat evaluate RUN --data FILE`."
                )
            raise RunError(
                f"{self.folder} has no metrics.json: the run is {self.status().get('state')}. "
                "Finish it with `quadrat train … --resume` and this folder."
            )
        metrics: dict[str, Any] = read_json(self.path("metrics.json"))
        return metrics

    def history(self) -> History:
        """The record of the epochs."""
        return History(self.path("history.jsonl"))

    def status(self) -> dict[str, Any]:
        """``status.json``: state, pid, heartbeat, experiment hash; ``unknown`` if missing."""
        if not self.path("status.json").exists():
            return {"state": "unknown"}
        status: dict[str, Any] = read_json(self.path("status.json"))
        return status

    def is_alive(self) -> bool:
        """Whether a process on this machine is training this run now."""
        status = self.status()
        if status.get("state") != "running":
            return False
        beat = datetime.fromisoformat(str(status["heartbeat"]))
        age = (datetime.now(UTC) - beat).total_seconds()
        return age < 4 * HEARTBEAT_SECONDS and process_exists(int(status["pid"]))

    @contextlib.contextmanager
    def running(self, experiment: Experiment) -> Iterator[None]:
        """Marks the run as running, with a heartbeat, and then as how it ended."""
        ended = threading.Event()

        def write(state: str, **more: object) -> None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            status: dict[str, object] = {"state": state, "pid": os.getpid(), "heartbeat": now}
            status |= {"experiment": experiment.content_hash()}
            status |= {"epochs": experiment.optimiser.epochs, **more}
            write_json(self.path("status.json"), status)

        def beat() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                write("running")

        write("running")
        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        outcome: dict[str, object] = {"state": "failed"}
        try:
            yield
            outcome = {"state": "finished"}
        except (Stopped, KeyboardInterrupt):
            outcome = {"state": "stopped"}
            raise
        except BaseException as error:
            outcome = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
            raise
        finally:
            ended.set()
            thread.join()
            write(str(outcome.pop("state")), **outcome)

    def _check_version(self) -> None:
        if not self.path("model.json").exists():
            return
        version = read_json(self.path("model.json")).get("format_version")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise RunError(
                f"{self.folder} has format version {version}; this quadrat reads up to "
                f"{FORMAT_VERSION}. Install a newer quadrat."
            )


def process_exists(pid: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
