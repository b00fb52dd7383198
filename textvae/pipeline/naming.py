"""Names of runs and recipes: a name must be valid as that of a folder on every operating system."""

from __future__ import annotations

MAX_CHARACTERS, MAX_BYTES = 100, 200
"""Longest name: file systems allow 255 bytes, and endings such as `.partial` are added to it."""

_FORBIDDEN = '/\\<>:"|?*'
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))]
)


def problem_of_name(name: str) -> str | None:
    """Why a name is not valid as that of a folder, as text; None for a valid name.

    >>> problem_of_name("yelp_vae 2"), problem_of_name("a/b"), problem_of_name("..")
    (None, "it may not hold '/'", 'it may not begin with a dot')
    """
    if not name:
        return "it may not be empty"
    if len(name) > MAX_CHARACTERS or len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"it may have at most {MAX_CHARACTERS} characters ({MAX_BYTES} bytes)"
    if not name.isprintable():
        return "it may hold printable characters only"
    found = next((character for character in name if character in _FORBIDDEN), None)
    if found is not None:
        return f"it may not hold {found!r}"
    if name.startswith("."):
        return "it may not begin with a dot"
    if name != name.strip() or name.endswith("."):
        return "it may not begin or end with a space, or end with a dot"
    if name.split(".")[0].strip().lower() in _RESERVED:
        return "it is a device's name on Windows"
    return None
