"""Ctrl-C asks training to stop after the step it is in."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """While entered, the first Ctrl-C only raises a flag; a second one interrupts at once.

    Signals can be handled in a program's main thread only; elsewhere the flag never rises and Ctrl-C is as it was.
    """

    def __init__(self) -> None:
        self.raised = False
        self._before: Any = None
        self._active = False

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._active = True
        return self

    def __exit__(self, *exception: object) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._before)
            self._active = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.raised:
            raise KeyboardInterrupt
        self.raised = True
