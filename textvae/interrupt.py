"""Ctrl-C: the first one ends the command soon, the second at once, and nothing that is finished is lost.

A KeyboardInterrupt alone does not do that. Python raises it only when the main thread is back from compiled code, and
libraries lose it: one that rises inside an import, a destructor or a callback of theirs is often caught there, and the
work goes on. So a command is guarded by a thread too, which the system wakes at the same moment; whatever the main
thread does with its KeyboardInterrupt, the thread ends the process when its patience is over. All files are written
whole or not at all, so that nothing has to be tidied up.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any, NoReturn

CODE = 130
"""What a command that was interrupted exits with, as shells count it: 128 and the signal's number."""
SENTENCE = "interrupted; what was finished is kept, and the same command goes on from there."
PATIENCE = 1.5
"""Seconds that the main thread has to end by itself."""


class _Guard:
    """The guard of a process that is a command: the handler of SIGINT, and the thread beside it.

    Handler and thread both count, since each may miss what the other sees: signals that come together reach Python's
    handler as one, and a library may take the wake-up descriptor for itself.
    """

    def __init__(self) -> None:
        self.raised = False
        self.ending = False
        self._deferrals = 0
        self._handled = self._seen = 0
        self._due = 0.0
        self._told = False
        self._telling = threading.RLock()
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        threading.Thread(target=self._watch, name="textvae-interrupt", daemon=True).start()
        signal.signal(signal.SIGINT, self._handle)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._report_unraisable, sys.unraisablehook = sys.unraisablehook, self._unraisable
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def _rise(self) -> None:
        if not self.raised:
            self._due = time.monotonic() + PATIENCE
            self.raised = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._handled += 1
        self._rise()
        self._wake()
        # Inside of an import a library's compiled code may meet the error, and abort; nothing is to be tidied up there.
        if self._handled > 1 or self.ending or (not self._deferrals and _importing(frame)):
            self.leave()
        if not self._deferrals:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        while True:
            waiting = self.raised and not self._deferrals
            self._receiver.settimeout(max(0.01, self._due - time.monotonic()) if waiting else None)
            try:
                # One byte for each signal, its number; 0 is said by `_wake`.
                byte = self._receiver.recv(1)
                self._seen += byte == bytes([signal.SIGINT])
                if not byte:
                    return
            except TimeoutError:
                # A deferral may have begun, or ended, in the meantime.
                if not self._deferrals and time.monotonic() >= self._due:
                    self.leave()
            if self._seen:
                self._rise()
            if self._seen > 1:
                self.leave()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full: then the thread is awake
            self._sender.send(b"\0")

    def _unraisable(self, what: Any) -> None:
        # A KeyboardInterrupt that a destructor lost is no news for the user.
        if not issubclass(what.exc_type, KeyboardInterrupt):
            self._report_unraisable(what)

    def _leave_to_parent(self) -> None:
        """In a forked child: what it is sent is no business of its parent's guard."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def defer(self) -> None:
        self._deferrals += 1
        if self.raised:
            self.resume()
            raise KeyboardInterrupt

    def resume(self) -> None:
        self._due = time.monotonic() + PATIENCE
        self._deferrals -= 1
        self._wake()

    def tell(self) -> None:
        """Say the sentence, once, and without waiting for a reader or for a lock that a blocked thread may hold."""
        with self._telling:
            if self._told:
                return
            # A progress bar hides the cursor, and stands where the sentence goes.
            drawn = os.isatty(2) and "rich.live" in sys.modules and os.environ.get("TERM", "dumb") != "dumb"
            said = ("\x1b[?25h\r\x1b[K" if drawn else "") + f"textvae: {SENTENCE}\n"
            with contextlib.suppress(OSError, ValueError):
                if os.name == "nt" or select.select([], [2], [], 0)[1]:
                    os.write(2, said.encode())
            # Not before: a second Ctrl-C may come to this thread here, and ends the process.
            self._told = True

    def leave(self) -> NoReturn:
        self.tell()
        os._exit(CODE)


def _importing(frame: FrameType | None) -> bool:
    """Whether the main thread is inside of an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


_guard: _Guard | None = None


def install() -> None:
    """Guard this process, which is a command; called in its main thread before anything slow is imported."""
    global _guard
    if _guard is None:
        _guard = _Guard()


def raised() -> bool:
    """Whether Ctrl-C came, in a guarded process."""
    return _guard is not None and _guard.raised


def check() -> None:
    """Between two pieces of work: do not begin the next one if a KeyboardInterrupt got lost in the last.

    Raises:
        KeyboardInterrupt: Ctrl-C came.
    """
    if raised():
        raise KeyboardInterrupt


def tell() -> None:
    """Say that the command was interrupted, to standard error; once in a guarded process."""
    if _guard is not None:
        _guard.tell()
    elif sys.stderr is not None:
        print(f"textvae: {SENTENCE}", file=sys.stderr, flush=True)


def exit_with(code: int) -> NoReturn:
    """End the command; from here on Ctrl-C only changes its code, as nothing is left that could catch it."""
    if _guard is not None:
        _guard.ending = True
        if code == CODE or _guard.raised:
            # Not by way of Python's own end: where a KeyboardInterrupt passed an exec, it sends itself a SIGINT there.
            with contextlib.suppress(OSError, ValueError):
                if sys.stdout is not None:
                    sys.stdout.flush()
            _guard.leave()
    sys.exit(code)


class Interrupt:
    """While entered, the first Ctrl-C only raises a flag, for work that must come to a good end; a second one ends it.

    In a process that is not guarded (a notebook, the Python interface) the second one is a KeyboardInterrupt, and
    there signals can be handled in the main thread only; elsewhere the flag never rises and Ctrl-C is as it was.

    Raises:
        KeyboardInterrupt: on entering, where Ctrl-C came before; on leaving without an error, where the flag is up.
    """

    def __init__(self) -> None:
        self._raised = False
        self._before: Any = None
        self._active = False

    @property
    def raised(self) -> bool:
        """Whether Ctrl-C came."""
        return self._raised or raised()

    def __enter__(self) -> Interrupt:
        if _guard is not None:
            _guard.defer()
        elif threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._active = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._before)
            self._active = False
        elif _guard is not None:
            _guard.resume()
        if self.raised and kind is None:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._raised:
            raise KeyboardInterrupt
        self._raised = True
