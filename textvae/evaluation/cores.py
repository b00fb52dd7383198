"""Batches computed side by side on the cores of a CPU, one core each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def on_each_core(work: Callable[[T], None], parts: Iterable[T], device: torch.device) -> None:
    """Call `work` for every part. On a CPU each core computes a part of its own.

    By default torch divides each operation among all cores, which then wait for one another; a recurrent layer has
    hundreds of small ones. Of parts that are computed side by side none waits, also where another thread, such as a
    reader of the next sentences, needs some of a core.

    Args:
        work: without randomness and without gradients; it may run in another thread, and beside itself.
        parts: of the work, made by this thread.
        device: on which it computes; elsewhere than on a CPU the parts are computed one after another.

    >>> found = []
    >>> on_each_core(found.append, [1, 2, 3], torch.device("cpu"))
    >>> sorted(found)
    [1, 2, 3]
    """
    cores = torch.get_num_threads() if device.type == "cpu" else 1
    if cores == 1:
        for part in parts:
            work(part)
        return

    def alone(part: T) -> None:
        # This is a setting of the thread; grad mode too.
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
        with torch.no_grad():
            work(part)

    waiting: deque[Future[None]] = deque()
    try:
        with ThreadPoolExecutor(cores, thread_name_prefix="textvae-core") as pool:
            for part in parts:
                waiting.append(pool.submit(alone, part))
                if len(waiting) > 2 * cores:
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
    finally:
        # Threads that begin later take what was set last.
        torch.set_num_threads(cores)
