"""Control characters are shown and never sent, and JSON stays JSON."""

from __future__ import annotations

import json
import warnings

import pytest

from textvae.errors import ModelError
from textvae.pipeline.report import plots
from textvae.printable import json_text, one_line, printable

C0, C1 = map(chr, range(0x20)), map(chr, range(0x7F, 0xA0))
SENT = [*C0, *C1, "\udfff", "\ud800", "\u2028", "\u2029", *"\u202a\u202e\u2066\u2069"]


def test_what_steers_a_terminal_is_shown() -> None:
    for character in set(SENT) - {"\t"}:
        shown = printable(f"a{character}b")
        assert shown.isprintable() and shown.startswith("a\\") and shown.endswith("b"), repr(character)
    assert printable("\x1b[31m\x9b") == r"\x1b[31m\x9b"
    assert printable("a\tb, café, 日本, שלום 🎉") == "a\tb, café, 日本, שלום 🎉"
    assert printable("a\nb\r", lines=True) == "a\nb\\r"
    assert one_line("a is\n  wrong\x1b;\n mend it.\n") == r"a is wrong\x1b; mend it."


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", None])
def test_json_reads_back_and_holds_no_control_characters(encoding: str | None) -> None:
    value = {"text": "".join(SENT) + 'café 日本 🎉 \\ "', "of": [{"a\x9b": 1.5}, []]}
    text = json_text(value, encoding)
    assert json.loads(text) == value
    assert printable(text, lines=True) == text
    text.encode(encoding or "utf-8")
    plain = {"text": "café 日本", "of": [1]}
    if encoding in ("utf-8", None):
        assert json_text(plain, encoding) == json.dumps(plain, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_never_holds_what_is_no_number(number: float) -> None:
    with pytest.raises(ModelError, match=rf"a\.b\[1\]\.c = {number} is not finite"):
        json_text({"a": {"b": [0.0, {"c": number}]}})


@pytest.mark.parametrize("name", ["_x", "a$b$", "$\\foo$", "a\x1b[31m", "\udc80", "a\nb", ""])
def test_any_label_can_be_drawn(name: str) -> None:
    pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "<svg" in plots.confusion_matrix([[1, 2], [3, 4]], [name, "b"])
