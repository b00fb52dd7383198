"""Files that are no text, recognized by their first bytes: what each is, and how to get text out of it."""

from __future__ import annotations

HEAD = 2**16
"""Bytes of a file's beginning by which it is recognized."""

_UNPACK = "unpack it, and give the text file in it"
_SHEET = "open it and save the sheet as CSV"
_DOCUMENT = "open it and save it as plain text"
_TABLE = "load it in Python and write the texts as CSV or as JSON lines"
_PICTURE = "give a file of text"

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF document", _DOCUMENT),
    (b"{\\rtf", "an RTF document", _DOCUMENT),
    (b"\x1f\x8b", "a gzip file without the ending .gz", "rename it so that its name ends in .gz"),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"PAR1", "a Parquet table", _TABLE),
    (b"ARROW1", "an Arrow table", _TABLE),
    (b"FEA1", "a Feather table", _TABLE),
    (b"Obj\x01", "an Avro table", _TABLE),
    (b"SQLite format 3\0", "an SQLite database", "export its table of texts as CSV"),
    (b"\x89HDF\r\n", "an HDF5 file", _TABLE),
    (b"\x93NUMPY", "a NumPy array", _TABLE),
    (b"\x89PNG\r\n", "a PNG image", _PICTURE),
    (b"\xff\xd8\xff", "a JPEG image", _PICTURE),
    (b"GIF8", "a GIF image", _PICTURE),
    (b"II*\0", "a TIFF image", _PICTURE),
    (b"MM\0*", "a TIFF image", _PICTURE),
    (b"ID3\x03\0", "a sound file", _PICTURE),
    (b"ID3\x04\0", "a sound file", _PICTURE),
    (b"OggS\0", "a sound file", _PICTURE),
    (b"\x7fELF", "a program", _PICTURE),
)
_IN_ZIP: tuple[tuple[bytes, str, str], ...] = (
    (b"xl/", "a spreadsheet (xlsx)", _SHEET),
    (b"opendocument.spreadsheet", "a spreadsheet (ods)", _SHEET),
    (b"word/", "a Word document (docx)", _DOCUMENT),
    (b"opendocument.text", "a document (odt)", _DOCUMENT),
    (b"ppt/", "a presentation (pptx)", _DOCUMENT),
    (b"application/epub+zip", "an e-book (epub)", _DOCUMENT),
    (b"[Content_Types].xml", "an Office document", "open it and save its text, or its sheet as CSV"),
)


def no_text(head: bytes) -> tuple[str, str] | None:
    """What a file is that is no text, and the cure; None for what may be text.

    Args:
        head: its first bytes, `HEAD` of them where it has so many.

    >>> no_text(b"%PDF-1.7 ...")
    ('a PDF document', 'open it and save it as plain text')
    >>> no_text(b"PK are two letters.") is None
    True
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next(((what, cure) for sign, what, cure in _IN_ZIP if sign in head), ("a zip archive", _UNPACK))
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "WordDocument".encode("utf-16-le") in head:
            return "a Word document (doc)", _DOCUMENT
        return "a spreadsheet (xls) or another old Office file", _SHEET
    for sign, what, cure in _BEGINNINGS:
        if head.startswith(sign):
            return None if sign == b"BZh" and head[4:10] != b"1AY&SY" else (what, cure)
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return "a picture or a sound file", _PICTURE
    if head[4:8] == b"ftyp" and head[:2] == b"\0\0":
        return "a video or a sound file", _PICTURE
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle", _TABLE
    return None


def markup(head: str) -> tuple[str, str] | None:
    """What a text file is that holds markup around its texts, and the cure; None for plain text.

    >>> markup("<!DOCTYPE html><html>...")
    ('an HTML page', 'save its text, or its table as CSV')
    """
    beginning = head[:1000].lstrip("\ufeff \t\r\n").lower()
    if beginning.startswith(("<!doctype html", "<html")):
        return "an HTML page", "save its text, or its table as CSV"
    if beginning.startswith("<?xml"):
        return "an XML file", "write its texts one a line, or as a table"
    return None
