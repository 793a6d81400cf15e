"""The lazy imports that a static check cannot see: each package in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def layers() -> list[set[str]]:
    """The layers of the import contract, highest first."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = document["tool"]["importlinter"]["contracts"][0]
    lines = [line.replace("|", " ").replace(":", " ").split() for line in contract["layers"]]
    return [set(line) for line in lines]


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("level", range(len(layers())))
def test_importing_a_layer_loads_nothing_above_it(level):
    all_layers = layers()
    above = set().union(*all_layers[:level]) if level else set()
    packages = sorted(all_layers[level])
    loaded = loaded_by("\n".join(f"import {name}" for name in packages))
    assert not above & loaded


def test_every_room_has_a_layer():
    rooms = {p.stem for p in (ROOT / "src" / "quadrat").iterdir() if p.suffix in (".py", "")}
    known = {name.removeprefix("quadrat.") for layer in layers() for name in layer}
    assert rooms - known <= {"__init__", "__main__", "__pycache__", "py"}


def test_import_quadrat_is_light():
    loaded = loaded_by("import quadrat, quadrat.photos, quadrat.occurrence")
    assert not loaded & {"torch", "polars", "pydantic", "numpy", "timm", "sklearn"}


def test_an_experiment_is_read_without_torch(tmp_path):
    code = """
from quadrat.experiment import experiment_class, json_schema
json_schema()
"""
    assert not loaded_by(code) & {"torch", "polars", "timm", "sklearn"}


def test_no_function_is_hidden_by_a_module_of_its_name():
    code = """
import pkgutil, quadrat, quadrat.workflow
for package in (quadrat, quadrat.workflow):
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package._EXPORTS), modules & set(package._EXPORTS)
"""
    loaded_by(code)


def test_every_exported_name_exists():
    import quadrat

    assert quadrat.__all__ == ["__version__", *sorted(quadrat.__all__[1:])]
    for name in quadrat.__all__:
        assert getattr(quadrat, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        quadrat.trian  # noqa: B018


def test_answers_do_not_wait_for_the_compiler_of_kernels():
    code = "import quadrat.occurrence.family, quadrat.occurrence.predictor, quadrat.workflow"
    assert not loaded_by(code) & {"numba", "llvmlite"}
