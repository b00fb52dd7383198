"""Ctrl-C: the first ends the command within seconds, the second at once, and no finished work is lost.

A KeyboardInterrupt alone cannot promise that. Python raises it only after the main thread has returned from compiled
code, and a library may swallow it: raised inside an import, a destructor or a library's callback, it is often caught
there, and the work continues. A second thread therefore watches for the signal. It ends the process `PATIENCE` seconds
after Ctrl-C, whatever became of the KeyboardInterrupt in the main thread. Ending at any moment is safe, because files
are written whole or not at all.
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
"""The exit code of an interrupted command, by the convention of shells: 128 plus the number of SIGINT."""
SENTENCE = "interrupted; what was finished is kept, and the same command goes on from there."
PATIENCE = 1.5
"""Seconds that the main thread has to end on the KeyboardInterrupt before the watching thread ends the process."""


class _Guard:
    """The SIGINT handler of a command's process and the thread that watches beside it.

    Both count signals, since either may miss some: signals in quick succession reach Python's handler as one, and a
    library may replace the wake-up descriptor that the thread reads.
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
        # During an import, a KeyboardInterrupt may reach a library's compiled code, which then aborts the process with
        # a crash message. An import leaves nothing to clean up, so exit here.
        if self._handled > 1 or self.ending or (not self._deferrals and _importing(frame)):
            self.leave()
        if not self._deferrals:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        while True:
            waiting = self.raised and not self._deferrals
            self._receiver.settimeout(max(0.01, self._due - time.monotonic()) if waiting else None)
            try:
                # Python writes one byte for each signal, its number; `_wake` writes 0.
                byte = self._receiver.recv(1)
                self._seen += byte == bytes([signal.SIGINT])
                if not byte:
                    return
            except TimeoutError:
                # A deferral may have begun or ended during the wait.
                if not self._deferrals and time.monotonic() >= self._due:
                    self.leave()
            if self._seen:
                self._rise()
            if self._seen > 1:
                self.leave()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # a full socket means that the thread is awake already
            self._sender.send(b"\0")

    def _unraisable(self, what: Any) -> None:
        # A KeyboardInterrupt swallowed by a destructor would only print a confusing traceback.
        if not issubclass(what.exc_type, KeyboardInterrupt):
            self._report_unraisable(what)

    def _leave_to_parent(self) -> None:
        """Restore Python's own handling of SIGINT in a forked child; the guard belongs to the parent."""
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
        """Print `SENTENCE` to standard error once.

        It never blocks: `print` could wait for a reader of a full pipe, or for a lock that a blocked thread holds.
        """
        with self._telling:
            if self._told:
                return
            # A progress bar hides the cursor and occupies the current line: show the cursor, clear the line.
            drawn = os.isatty(2) and "rich.live" in sys.modules and os.environ.get("TERM", "dumb") != "dumb"
            said = ("\x1b[?25h\r\x1b[K" if drawn else "") + f"textvae: {SENTENCE}\n"
            with contextlib.suppress(OSError, ValueError):
                if os.name == "nt" or select.select([], [2], [], 0)[1]:
                    os.write(2, said.encode())
            # Set only after writing: a second Ctrl-C that arrives earlier must still print the sentence.
            self._told = True

    def leave(self) -> NoReturn:
        self.tell()
        os._exit(CODE)


def _importing(frame: FrameType | None) -> bool:
    """Whether the main thread is executing an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


_guard: _Guard | None = None


def install() -> None:
    """Guard this process. A command calls it in its main thread before it imports anything slow."""
    global _guard
    if _guard is None:
        _guard = _Guard()


def raised() -> bool:
    """Whether Ctrl-C was pressed; always False in a process that is not guarded."""
    return _guard is not None and _guard.raised


def check() -> None:
    """Raise a KeyboardInterrupt that a library swallowed; called between two pieces of work.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if raised():
        raise KeyboardInterrupt


def tell() -> None:
    """Print to standard error that the command was interrupted; in a guarded process only once."""
    if _guard is not None:
        _guard.tell()
    elif sys.stderr is not None:
        print(f"textvae: {SENTENCE}", file=sys.stderr, flush=True)


def exit_with(code: int) -> NoReturn:
    """Exit with a code. From here on Ctrl-C only changes the code: nothing is left to catch a KeyboardInterrupt."""
    if _guard is not None:
        _guard.ending = True
        if code == CODE or _guard.raised:
            # Not by `sys.exit`: after a KeyboardInterrupt has passed through `exec`, Python's shutdown sends the
            # process another SIGINT.
            with contextlib.suppress(OSError, ValueError):
                if sys.stdout is not None:
                    sys.stdout.flush()
            _guard.leave()
    sys.exit(code)


class Interrupt:
    """A context in which the first Ctrl-C only sets a flag, so that the work can stop at a safe point; the second ends
    the process.

    In a process that is not guarded (a notebook, the Python interface) the second Ctrl-C raises a KeyboardInterrupt.
    There, signals can be handled in the main thread only: in any other thread the flag is never set and Ctrl-C keeps
    its usual effect.

    Raises:
        KeyboardInterrupt: on entering, if Ctrl-C was pressed before; on leaving without an error, if the flag is set.
    """

    def __init__(self) -> None:
        self._raised = False
        self._before: Any = None
        self._active = False

    @property
    def raised(self) -> bool:
        """Whether Ctrl-C was pressed."""
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
