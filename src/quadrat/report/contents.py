"""What lies in a run folder, read once for the report and the card."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.errors import RunError
from quadrat.runs import Run, read_json

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Contents:
    """The files of a finished run.

    Args:
        folder: The run folder.
        metrics: ``metrics.json``.
        experiment: ``experiment.toml`` as sections and keys, empty where there is none.
        experiment_text: The same as it is written.
        provenance: ``provenance.json``, empty where there is none.
        model: ``model.json``, empty where there is none.
        check: ``check.json``, the findings of the data check, empty where there is none.
        history: Records of ``history.jsonl``.
        data_folder: The folder whose ``experiment.toml`` says what the data are: the run's own, or
            that of an ensemble's first member.
    """

    folder: Path
    metrics: Mapping[str, Any]
    experiment: Mapping[str, Any] = field(default_factory=dict)
    experiment_text: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    data_folder: Path | None = None

    @property
    def name(self) -> str:
        """What the experiment is called."""
        return str(self.experiment.get("name") or self.folder.name)

    @property
    def family(self) -> str:
        """``photos`` or ``occurrence``, also for an ensemble of such runs.

        Raises:
            RunError: No file of the run says which.
        """
        named = (self.experiment.get("family"), str(self.model.get("kind", "")).split("-")[0])
        for name in named:
            if name in ("photos", "occurrence"):
                return str(name)
        if self.file("oof.parquet"):
            return "photos"
        if self.file("species.parquet"):
            return "occurrence"
        raise RunError(
            f"{self.folder} does not say what kind of run it is: neither experiment.toml nor "
            "model.json names the family photos or occurrence. Give a folder that `quadrat train` "
            "made."
        )

    @property
    def is_ensemble(self) -> bool:
        """Whether the run was made from other runs."""
        return str(self.model.get("kind", "")).endswith("-ensemble")

    @property
    def has_points(self) -> bool:
        """Whether an occurrence run learnt from points with covariates instead of cells."""
        return bool(self.model.get("kind") == "occurrence-points")

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How the split was made: the metrics' own words over the experiment's section.

        Points are dealt to folds by their own section: [split] says nothing of them.
        """
        split: Mapping[str, Any] = {} if self.has_points else self.experiment.get("split", {})
        return {**split, **(self.metrics.get("protocol") or {})}

    def fold_name(self, fold: object) -> str:
        """What a fold is called: as its training called it, or counted from one.

        Args:
            fold: Its number, counted from zero as in the files.
        """
        path = self.file(f"folds/{fold}/fold.json")
        named = read_json(path).get("name") if path else None
        if named:
            return str(named)
        return f"fold {int(str(fold)) + 1}" if str(fold).isdigit() else str(fold)

    def file(self, name: str) -> Path | None:
        """A file of the run, or None where it is missing."""
        path = self.folder / name
        return path if path.is_file() else None

    def table(self, name: str) -> pl.DataFrame | None:
        """A parquet table of the run, or None where it is missing.

        Raises:
            DataError: The file is there and cannot be read.
        """
        from quadrat.tables import read_table

        path = self.file(name)
        return read_table(path) if path else None

    def json(self, name: str) -> Any:
        """A JSON file of the run, or None where it is missing.

        Raises:
            RunError: The file is there and is damaged.
        """
        path = self.file(name)
        return read_json(path) if path else None


def read_run(folder: Path) -> Contents:
    """Reads a finished run folder.

    Args:
        folder: The run folder.

    Raises:
        RunError: There is no such folder, it has no metrics, or a file of it is damaged.
    """
    if not folder.is_dir():
        raise RunError(
            f"{folder} does not exist. Give the folder that `quadrat train` printed on its last "
            "line."
        )
    if not (folder / "metrics.json").is_file():
        Run(folder).metrics()  # says why there are none
    metrics = _mapping(folder / "metrics.json")
    if not metrics.get("scores"):
        raise RunError(
            f"{folder / 'metrics.json'} holds no scores. Write it again with `quadrat evaluate`."
        )
    text = _text(folder / "experiment.toml")
    own, model = _parsed(text, folder / "experiment.toml"), _mapping(folder / "model.json")
    member = _first_member(folder, own, model)
    return Contents(
        folder=folder,
        metrics=metrics,
        experiment=own if member is None else _with_data(own, member / "experiment.toml"),
        experiment_text=text,
        provenance=_mapping(folder / "provenance.json"),
        model=model,
        check=_mapping(folder / "check.json"),
        history=tuple(Run(folder).history().records()),
        data_folder=member or folder,
    )


def read_evaluation(run: Path, name: str) -> Contents:
    """Reads an evaluation of a run: its own metrics and tables, beside what the run is.

    Args:
        run: The run folder.
        name: The evaluation's name.

    Raises:
        RunError: The evaluation has no metrics, or a file is damaged.
    """
    folder = run / "evaluations" / name
    metrics = _mapping(folder / "metrics.json")
    if not metrics.get("scores"):
        raise RunError(f"{folder} holds no scores. Write them again with `quadrat evaluate`.")
    experiment = _parsed(_text(run / "experiment.toml"), run / "experiment.toml")
    # How the run was split says nothing of what is judged here.
    experiment.pop("split", None)
    return Contents(
        folder=folder,
        metrics=metrics,
        experiment=experiment,
        provenance=_mapping(run / "provenance.json"),
        model=_mapping(run / "model.json"),
    )


def _first_member(folder: Path, own: Mapping[str, Any], model: Mapping[str, Any]) -> Path | None:
    """The folder of an ensemble's first member, where it still lies."""
    if not str(model.get("kind", "")).endswith("-ensemble"):
        return None
    entry = model["members"][0]
    named = own["member"][entry["section"]].get("run")
    places = [folder / entry["run"], *([Path(named)] if named else [])]
    return next((place for place in places if (place / "experiment.toml").is_file()), None)


def _with_data(own: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """An ensemble's experiment with what its first member's says of data and scores."""
    first = _parsed(_text(path), path)
    told = ("data", "balance", "split")
    about: dict[str, Any] = {key: first[key] for key in told if key in first}
    score = {key: value for key, value in own.get("score", {}).items() if value not in ("", {})}
    return {**about, **own, "score": {**first.get("score", {}), **score}}


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError(f"{path} is not a JSON object. Resume or repeat the run.")
    return content


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"{path} is damaged ({error}). Restore it from the experiment.") from error
