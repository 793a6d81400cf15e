"""Where an experiment comes from: a file, a recipe's name, a mapping, a run's own copy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from quadrat.errors import ExperimentError, closest
from quadrat.experiment import Experiment, load, parse
from quadrat.recipes import recipe_names, recipe_text
from quadrat.runs import Run

ExperimentSource: TypeAlias = Experiment | Mapping[str, Any] | Path | str
"""What the verbs take as an experiment."""


def load_experiment(source: ExperimentSource, overrides: Sequence[str] = ()) -> Experiment:
    """Finds and checks an experiment.

    Args:
        source: An experiment file, a run folder, the name of a recipe, a mapping, or an
            experiment (which is given back, overridden if asked for).
        overrides: ``"section.key=value"``.

    Raises:
        ExperimentError: Lists everything that is wrong with it.
    """
    if isinstance(source, Experiment):
        return parse(source.content(), overrides, source=source.source) if overrides else source
    if isinstance(source, Mapping):
        return parse(source, overrides)
    path = Path(source)
    if path.is_dir() and (path / "experiment.toml").is_file():
        _refuse_imported(path)
        return load(path / "experiment.toml", overrides)
    if not path.exists() and str(source) in recipe_names():
        return parse(tomllib.loads(recipe_text(str(source))), overrides)
    if not path.exists() and path.suffix != ".toml":
        hint = closest(str(source), [*recipe_names(), *_files_beside(path)])
        recipes = ", ".join(recipe_names())
        raise ExperimentError(
            [f"neither a file nor a recipe.{hint} Recipes: {recipes}"], Path(source)
        )
    return load(path, overrides)


def _refuse_imported(folder: Path) -> None:
    """The experiment of an imported run would train a fresh network beside it."""
    if Run(folder).status().get("state") == "imported":
        raise ExperimentError(
            [
                "start.run: the run was imported, and its experiment file does not hold what it "
                f"has learnt. To go on from it: quadrat train fine-tune --set start.run={folder} "
                "--set data.table=FILE. To train afresh: quadrat train geomodel"
            ],
            folder,
        )


def _files_beside(path: Path) -> list[str]:
    """Experiment files in the folder of a path, written as the path is."""
    return [str(found) for found in path.parent.glob("*.toml")]
