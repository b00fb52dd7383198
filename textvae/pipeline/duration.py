"""Durations as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """
    >>> duration(7.26), duration(425.0), duration(7300.0)
    ('7.3 s', '7 min 05 s', '2 h 01 min')
    >>> duration(59.97), duration(239.6), duration(3599.7)
    ('1 min 00 s', '4 min 00 s', '1 h 00 min')
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    # Seconds are rounded first; otherwise 59.9 s could become "0 min 60 s".
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
