"""Scripts that are written without spaces between words."""

from __future__ import annotations

_UNSPACED = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Myanmar
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3040", "\u30ff"),  # Hiragana, Katakana
    ("\u3100", "\u312f"),  # Bopomofo
    ("\u3400", "\u9fff"),  # Han
    ("\U00020000", "\U0003ffff"),  # rare Han
)


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without spaces between words, such as Chinese or Thai.

    >>> is_unspaced("\u4e2d"), is_unspaced("\u0e01"), is_unspaced("a"), is_unspaced("\ud55c")
    (True, True, False, False)
    """
    return any(first <= character <= last for first, last in _UNSPACED)
