"""Optional packages: imported in one place, with one message when they are missing."""

from __future__ import annotations

import importlib
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
        raise MissingExtraError(
            f"{purpose} needs the package '{module}', which is not installed. "
            f"Install it with: pip install 'quadrat[{extra}]'"
        ) from error
