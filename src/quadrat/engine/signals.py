"""Stopping when asked to: SIGINT and SIGTERM become a flag that the loop reads between steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_asked = threading.Event()
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_requested() -> bool:
    """Whether a signal has asked the training to save and stop."""
    return _asked.is_set()


@contextlib.contextmanager
def stops_gracefully() -> Iterator[None]:
    """Turns SIGINT and SIGTERM into a wish to stop, inside the block.

    The second SIGINT interrupts at once. Outside the main thread, where Python cannot take
    signals, nothing changes. Blocks may be nested; the outermost one holds the handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGTERM) is _ask:
        yield
        return
    _asked.clear()
    before = {number: signal.signal(number, _ask) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def _ask(number: int, frame: FrameType | None) -> None:
    if _asked.is_set() and number == signal.SIGINT:
        raise KeyboardInterrupt
    _asked.set()
