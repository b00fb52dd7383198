"""Values of Arrow columns as text, and JSON values in Arrow columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

JSON = {b"textvae": b"json"}
"""The metadata of a column of strings each of which is a JSON value; null where a record has no such field."""
NAME = b"textvae.name"
"""The key of the metadata under which a column of a table with a header has the cell of the header."""


def is_json(field: pa.Field) -> bool:
    """Whether each string of a column is a JSON value."""
    return (field.metadata or {}).get(b"textvae") == b"json"


def shown_name(field: pa.Field) -> str:
    """The name of a column in a header; it may occur twice, unlike the name in the table."""
    own = (field.metadata or {}).get(NAME)
    return field.name if own is None else own.decode()


def as_text(values: pa.ChunkedArray | pa.Array, field: pa.Field) -> list[str]:
    """The values of a column as plain text, null as an empty string; lists and objects are JSON."""
    if is_json(field):
        return [_plain(text) for text in values.to_pylist()]
    numbers = number_lists(values)
    if numbers is not None:
        return ["" if text is None else f"[{text}]" for text in numbers]
    if pa.types.is_floating(values.type):
        values = values.cast(pa.string())
    return ["" if value is None else _text(value) for value in values.to_pylist()]


def number_lists(values: pa.ChunkedArray | pa.Array, separator: str = ", ") -> list[str | None] | None:
    """Lists of floating numbers as text, each with as many digits as it needs; None for other columns."""
    if not (pa.types.is_list(values.type) and pa.types.is_floating(values.type.value_type)):
        return None
    found: list[str | None] = []
    for chunk in values.chunks if isinstance(values, pa.ChunkedArray) else [values]:
        texts = pa.ListArray.from_arrays(chunk.offsets, chunk.values.cast(pa.string()), mask=chunk.is_null())
        found += pc.binary_join(texts, separator).to_pylist()
    return found


def _plain(text: str | None) -> str:
    if text is None or text == "null":
        return ""
    return str(json.loads(text)) if text.startswith('"') else text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def as_json_values(values: pa.ChunkedArray | pa.Array, field: pa.Field) -> list[str | None]:
    """The values of a column as JSON, each a text; None where a record of JSON has no such field."""
    if is_json(field):
        found: list[str | None] = values.to_pylist()
        return found
    numbers = number_lists(values)
    if numbers is not None:
        return ["null" if text is None else f"[{text}]" for text in numbers]
    return [_json(value) for value in values.to_pylist()]


def _json(value: Any) -> str:
    if isinstance(value, float) and value - value != 0:  # an infinity or NaN, which JSON does not have
        return "null"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    return json.dumps(value, ensure_ascii=False, default=str)


def unified(schemas: Sequence[pa.Schema], kinds: Callable[[str], set[type]]) -> pa.Schema:
    """The schema of a table with all columns of several tables, in which columns of JSON have a type of Arrow.

    Args:
        schemas: of the tables; a column that is missing from one is null there.
        kinds: gives the Python types of the values of a column of JSON.
    """
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.get(field.name)
            if known is None or pa.types.is_null(known.type):
                fields[field.name] = field
    plain = []
    for name, field in fields.items():
        kind = _type_of(kinds(name)) if is_json(field) else field.type
        plain.append(pa.field(name, kind))
    return pa.schema(plain)


def _type_of(kinds: set[type]) -> pa.DataType:
    kinds = kinds - {type(None)}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of a schema that `unified` made."""
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        values, own = table[field.name], table.schema.field(field.name)
        if is_json(own):
            columns.append(_typed_json(values.to_pylist(), field.type))
        else:
            columns.append(values if values.type == field.type else values.cast(field.type))
    return pa.table(columns, schema=schema)


def _typed_json(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_string(kind):
        return pa.array([None if text is None else json.loads(text) for text in texts], kind)
    return pa.array([None if text in (None, "null") else _plain(text) for text in texts], kind)
