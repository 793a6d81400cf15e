"""Optional packages: imported in one place, with one message when they are missing."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from quadrat.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Imports an optional package.

    Args:
        module: The module's import name.
        extra: The extra of quadrat that installs it.
        purpose: What it is needed for, for the message.

    Raises:
        MissingExtraError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise _missing(module, extra, purpose) from error


def folder_of(package: str, *, extra: str, purpose: str) -> Path:
    """The folder of an optional package, which is not imported.

    Args:
        package: The package's import name.
        extra: The extra of quadrat that installs it.
        purpose: What it is needed for, for the message.

    Raises:
        MissingExtraError: The package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise _missing(package, extra, purpose)
    return Path(spec.origin).parent


def _missing(module: str, extra: str, purpose: str) -> MissingExtraError:
    return MissingExtraError(
        f"{purpose} needs the package '{module}', which is not installed. "
        f"Install it with: pip install 'quadrat[{extra}]'"
    )
