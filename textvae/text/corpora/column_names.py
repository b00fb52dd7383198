"""What the name of a column says about its content: usual names, whole or as parts of longer ones."""

from __future__ import annotations


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


TEXT = _names(
    "text texts sentence sentences review reviews content body comment comments message messages tweet post document"
    " documents utterance passage paragraph caption transcript transcription lyrics verse poem dialogue quote story"
    " abstract description article response answer prompt narrative smiles sequence peptide protein sms"
)
SHORT_TEXT = _names("headline title question query subject summary phrase subtitle")
"""Names of columns with text that is often shorter than another one's."""
LABEL = _names(
    "label labels class classes category categories sentiment intent target emotion polarity tag flag topic genre"
    " mood stance"
)
RATING = _names("rating ratings stars star score overall grade y v1 type kind act")
"""Names of columns whose values may be classes."""
SPLIT = _names("split splits fold folds set subset subsets partition partitions usage")
OTHER = _names(
    "id ids idx index url urls link links href uri guid uuid date time datetime timestamp created updated at year month"
    " day author user username userid sender from to speaker name names lang language country city state location"
    " timezone coord latitude longitude lat lon source file filename path hash checksum count counts num number"
    " confidence probability prob weight length len start end email phone ip page row rank version reply likes votes"
    " retweets helpful"
)
"""Names of columns that hold neither texts nor labels."""

KNOWN = TEXT | SHORT_TEXT | LABEL | RATING | SPLIT | OTHER


def name_parts(name: str) -> list[str]:
    """The words in a column's name, in lower case.

    >>> name_parts("airline_sentiment"), name_parts("reviewText"), name_parts("Class Index"), name_parts("data.text")
    (['airline', 'sentiment'], ['review', 'text'], ['class', 'index'], ['data', 'text'])
    """
    spaced = "".join(
        " " + c if c.isupper() and place and name[place - 1].islower() else c if c.isalnum() else " "
        for place, c in enumerate(name)
    )
    return spaced.lower().split()


def known_name(cell: str) -> bool:
    """Whether a cell of a first row is a usual name of a column.

    >>> known_name(" Label"), known_name("airline_sentiment"), known_name("The text was good.")
    (True, True, False)
    """
    words = cell.split()
    if not 0 < len(words) <= 3 or len(cell) > 40 or not all(c.isalnum() or c in " _-.#/()" for c in cell.strip()):
        return False
    if cell.strip().endswith("."):
        return False
    parts = name_parts(cell)
    if len(words) > 1:
        return is_in(cell, KNOWN) or all(part in KNOWN for part in parts)
    # The 12 of `user_12` belongs to a value.
    numbered = any(part.isdecimal() for part in parts)
    return is_in(cell, KNOWN) or (len(parts) <= 4 and not numbered and any(part in KNOWN for part in parts))


def is_in(name: str, names: frozenset[str]) -> bool:
    """Whether a whole name is one of these, whatever its case and the characters between its parts."""
    return "".join(name_parts(name)) in names


def has_part(name: str, names: frozenset[str]) -> bool:
    """Whether a part of a name is one of these; of `label1`, the part is `label`."""
    return any(part in names or part.rstrip("0123456789") in names for part in name_parts(name))
