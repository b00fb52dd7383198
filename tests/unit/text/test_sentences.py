"""Sentences cut and quotation marks mended as people read them; and the doctests of the package."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import textvae.text
from textvae.text.corpora.bible import clean_verses, split_clauses
from textvae.text.sentences import drop_dangling_quotes, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('"Why?" "Go." (Yes.) End.', ['"Why?"', '"Go."', "(Yes.)", "End."]),
        ('"Why?" asked he.', ['"Why?" asked he.']),
        ("Mr. J. Hill came. It cost 3.5 dollars.", ["Mr. J. Hill came.", "It cost 3.5 dollars."]),
        ("He said, 'Go!' Then he left.", ["He said, 'Go!'", "Then he left."]),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('"Go out.', "Go out."),
        ('Go out."', "Go out."),
        ('He said, "Go." And "left.', 'He said, "Go." And left.'),
        ("'Go,' he said.", "'Go,' he said."),
        ("Go out.'\"", "Go out."),
        ("He said, 'I am here.", "He said, I am here."),
        ("my sons' wives don't", "my sons' wives don't"),
        ("(as it is", "as it is"),
        ("'Tis so.", "'Tis so."),
        ("\"He said, 'Go.'\"", "\"He said, 'Go.'\""),
    ],
)
def test_dangling_quotes(text, mended):
    assert drop_dangling_quotes(text) == mended


def test_verses():
    assert clean_verses("Psalm 3 A  Psalm. He [is] God`s -- yes") == "A Psalm. He is God's -- yes"
    assert split_clauses('He said, "I come: and you; go.') == ["He said, I come.", "And you.", "Go."]


MODULES = [name for _, name, _ in pkgutil.walk_packages(textvae.text.__path__, "textvae.text.")]


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
