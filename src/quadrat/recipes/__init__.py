"""The shipped experiment files, one for each known way of doing a task."""

from __future__ import annotations

from importlib.resources import files

from quadrat.errors import UnknownNameError


def recipe_names() -> list[str]:
    """The names of all shipped recipes, sorted."""
    names = (item.name for item in files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """The experiment file of a recipe.

    Raises:
        UnknownNameError: There is no such recipe.
    """
    if name not in recipe_names():
        raise UnknownNameError("recipe", name, recipe_names())
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def recipe_summary(name: str) -> str:
    """What a recipe is for: the comment in its first line."""
    return recipe_text(name).splitlines()[0].removeprefix("#").strip()
