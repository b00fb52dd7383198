"""The rule "words": what stays one token, what is looked up under another spelling, what a saved tokenizer names."""

# ruff: noqa: RUF001 (the typographic characters are what is tested)
from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from textvae.errors import ModelError
from textvae.text.corpora.base import Example
from textvae.text.normalize import normalize
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig, WordTokenizer, load_tokenizer
from textvae.text.tokenizers.word import RULES
from textvae.text.tokenizers.words import cut, join, plain
from textvae.types import UNK_ID

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "format_1"

WHOLE = {
    "handles and tags": "@anna @the_cat9 #tag #MeToo2 #2fast",
    "addresses": "http://x.org/a?b=1 https://a.bc/d_(e)f www.example.com/p/ example.org x.co.uk/y me+x@mail.ex.org",
    "emoticons": ":) ;-) :D :P :'( >:( :-/ =) <3 </3 ^^ ^_^ -_- o_O T_T (: 8-)",
    "emoji": "😀 👍🏽 👩‍👩‍👧 🇪🇸 ❤️ ☺ 1️⃣",
    "html": "<br/> <b> </b> <h1> &amp; &#39;",
    "abbreviations": "U.S. e.g. i.e. z.B. a.m. Mr. Mrs. Dr. etc. usw. bzw. Ph.D. EE.UU. Sra. U.S.A",
    "names": "AT&T R&B C# C++ F# well-known O'Neil O’Neil o'clock y'all aujourd'hui A+ f**k snake_case col·lecció",
    "numbers": "1,000.50 3:30 12/05/2020 1.5 .5 2020-05-12 10-15 1'000 20-year-old covid-19 mp3 B2B",
    "shortened words": "'tis ’tis 'em 'til 'cause 'n' ’n’",
    "scripts": "हिन्दी می‌خواهم Straße naïve ελληνικά русский",
    "runs": "... .. -- !!! ***** …",
}


@pytest.mark.parametrize("shape", WHOLE)
def test_one_token_each(shape: str) -> None:
    """Alone, between brackets, in quotation marks, and before a comma."""
    for piece in WHOLE[shape].split(" "):
        assert [plain(token) for token in cut(f"so {piece} it")] == ["so", piece, "it"]
        if shape not in ("runs", "emoticons", "abbreviations"):
            assert [plain(token) for token in cut(f"({piece})")] == ["(", piece, ")"]
            assert [plain(token) for token in cut(f"„{piece}“, so")] == ["„", piece, "“", ",", "so"]


def test_a_tag_keeps_its_attributes() -> None:
    for tag in ("<br />", '<a href="http://x.org/?a=b c">', "<img src='a b.png' alt=\"x\" />", "<p class=big>", "</p>"):
        assert [plain(token) for token in cut(f"Fine.{tag}Good")] == ["Fine", ".", tag, "Good"]
    assert cut("if a <b and c> d") == ["if", "a", "<￭", "b", "and", "c", "￭>", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't, it’s, they've, we’ll", "I do n't , it ’s , they 've , we ’ll"),
        ("he'd've DON'T can't dogs' it's.", "he 'd 've DO N'T ca n't dogs ￭' it 's ."),
        ("l'été d’abord qu’il j'ai jusqu’à L'École", "l' été d’ abord qu’ il j' ai jusqu’ à L' École"),
        ("5kg 20€ or 20 € or 50% 50 %", "5 ￭kg 20 € or 20 ▁€ or 50 % 50 ▁%"),
        ("3rd 1980s $3.50 5$ 7 pm 7pm", "3 rd 1980 s $ 3.50 5 ￭$ 7 pm 7 ￭pm"),
        ('He said "go" ("now").', 'He said " go ￭" ( " now ￭" ) .'),
        ("‘so’ “it” 'is'", "‘ so ’ “ it ” ' is ￭'"),
        ("„Gut“ und »ja« und «sí» et « oui »", "„ Gut ￭“ und »￭ ja ￭« und «￭ sí ￭» et « oui »"),
        ("¿Qué? ¡Hola! Quoi ?", "¿ Qué ? ¡ Hola ! Quoi ▁?"),
        ("and/or a - b a-b c -d e--f", "and / or a - b a-b c -￭ d e -- f"),
        ("end.The word,so 5* (5)", "end .￭ The word ,￭ so 5 ￭* ( 5 )"),
        ("😂😂 great:) x", "😂 😂 great ￭:) x"),
        ("it 's n't so", "it ▁'s ▁n't so"),
    ],
)
def test_cut_and_marked(text: str, expected: str) -> None:
    assert cut(text) == expected.split(" ")
    assert join(cut(text)) == text


def test_special_tokens_in_a_text_come_back() -> None:
    for text in (
        "<s> a </s>",
        "x<pad>y",
        "a <unk> b",
        "(<unk>)-so",
        "<unk><unk>",
        "￭<unk>▁",
        "￭ <unk> ▁ <unk>",
        "<S> <Pad>",
    ):
        tokens = cut(text)
        assert join(tokens) == text
        assert not {"<pad>", "<s>", "</s>"} & set(tokens)
        assert ("<unk>" in tokens) == ("<unk>" in text and "￭<" not in text), "a token that is read as unknown"
    assert WordConfig().train(["a <unk> b"]).encode("(<unk>)")[1] == UNK_ID


@pytest.mark.parametrize(
    ("learned", "typed", "read_as"),
    [
        ("I don't know", "I don’t know", "I don't know"),
        ("I don’t know", "I don't know", "I don’t know"),
        ("Mr. O'Neil", "Mr. O’Neil", "Mr. O'Neil"),
        ('he "so" said', "he “so” said", 'he "so" said'),
        ("he “so” said", 'he "so" said', "he “so” said"),
        ('er "gut" so', "er „gut“ so", 'er "gut" so'),
        ("he 'so' said", "he ‘so’ said", "he 'so' said"),
        ('il "oui" dit', "il «oui» dit", 'il "oui" dit'),
        ("5 kg of", "5kg of", "5 kg of"),
        ("a - b", "a -b", "a - b"),
        ("so... it -- is", "so… it — is", "so... it -- is"),
        ("so… it", "so... it", "so… it"),
        ("is it.", "is it .", "is it."),
        ("is it , so .", "is it, so.", "is it , so ."),
        ("5kg of it", "5 kg of it", "5kg of it"),
    ],
)  # fmt: skip
def test_a_token_outside_the_vocabulary_is_read_as_its_other_spelling(learned: str, typed: str, read_as: str) -> None:
    tokenizer = WordConfig().train([learned])
    ids = tokenizer.encode(typed)
    assert UNK_ID not in ids
    assert tokenizer.decode(ids) == read_as
    assert tokenizer.encode(typed) == ids  # from memory


def test_a_quotation_mark_keeps_its_direction() -> None:
    """With both directions learned, none of the printed marks turns around."""
    tokenizer = WordConfig().train(["\"a\" 'b'"])
    for opening, closing in ("“”", "„“", "‘’", "«»", "»«"):
        straight = "'" if opening == "‘" else '"'
        assert tokenizer.decode(tokenizer.encode(f"{opening}a{closing} b")) == f"{straight}a{straight} b"


def test_a_rare_marked_variant_counts_for_the_plain_word() -> None:
    lines = ["km"] * 2 + ["5km"] * 2 + ["lb"] * 3 + ["so"] * 9 + ["5"] * 9
    tokens = WordConfig(vocab_size=4 + 3).train(lines).tokens[4:]
    assert tokens == ("5", "so", "km"), "two and two are more than three"
    many = ["Smith"] * 5 + ["7Smith"] * 2 + ["so"] * 9 + ["7"] * 9 + ["a"] * 6
    assert WordConfig(vocab_size=4 + 3).train(many).tokens[4:] == ("7", "so", "Smith")
    every = WordConfig().train(lines)
    assert set(every.tokens[4:]) == {"5", "so", "km", "￭km", "lb"}, "with room for all, each variant stays"
    rare = WordConfig(min_count=3).train(["5oz"] * 2 + ["oz"])
    assert rare.tokens[4:] == ("oz",)
    assert WordConfig(min_count=2).train(["5oz", "oz"]).tokens[4:] == ("oz",)


def test_a_sample_in_any_order_is_well_spaced() -> None:
    tokens = sorted({token for line in ("„Gut“, so 5kg (x) - it's l'air", '"a" ¡b!<br />c/d') for token in cut(line)})
    rng = random.Random(0)
    for _ in range(500):
        text = join(rng.choices(tokens, k=8))
        assert text == normalize(text), "no space at the ends, none doubled"
        for wrong in (" ,", " 's", "( ", "¡ "):
            assert wrong not in text
    assert join(["￭kg", "▁.", "a￭", "▁b"]) == "kg . a b"
    assert join([]) == ""


MONSTERS = "a'a'a' (((( .... :-:-:- <<<< <a\u00a0b=c\u00a0 @@@@ 1,1,1, a.b a@b. QmFz+Z/0= http://. #1 x.com/"


@pytest.mark.parametrize("unit", [*MONSTERS.split(" "), "e\u0301\u0302", "''``", "&a", "👍\u200d"])
def test_long_monsters(unit: str) -> None:
    """Each in a small part of a second; a pattern that backtracks would need hours."""
    text = normalize(unit * (30_000 // len(unit)))
    assert join(cut(text)) == text


def test_a_saved_tokenizer_names_its_rule(tmp_path: Path) -> None:
    tokenizer = WordConfig().train(["It’s 5kg."])
    tokenizer.save(tmp_path)
    header = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert (header["split"], header["rule"]) == ("words", 1)
    assert load_tokenizer(tmp_path).encode("It’s 5kg.") == tokenizer.encode("It’s 5kg.")
    others = [
        {"rule": 2},
        {"rule": 0},
        {"rule": None},
        {"rule": "1"},
        {"split": "nltk"},
        {"split": "moses"},
        {"split": []},
    ]
    for changes in others:
        (tmp_path / "tokenizer.json").write_text(json.dumps({**header, **changes}), encoding="utf-8")
        with pytest.raises(ModelError, match=r"version .* of the rule .* this textvae knows 'words' 1") as refused:
            load_tokenizer(tmp_path)
        assert str(refused.value).count("\n") == 0
    del header["rule"]  # a header of textvae 0.1, which had no such rule
    (tmp_path / "tokenizer.json").write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(ModelError, match="version 0 of the rule 'words'"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("split", ["nltk", "whitespace"])
def test_old_rules_have_headers_without_a_version(split: str, tmp_path: Path) -> None:
    WordConfig.model_validate({"split": split}).train(["a b."]).save(tmp_path)
    assert "rule" not in json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, WordTokenizer) and loaded.split == split


def test_a_tokenizer_of_version_0_1_encodes_as_when_it_was_trained() -> None:
    """The corpus that textvae 0.1 wrote beside it has the ids and the texts of that time."""
    run = FIXTURE / "run" / "tokenize"
    tokenizer = load_tokenizer(run / "tokenizer")
    assert isinstance(tokenizer, WordTokenizer) and tokenizer.split == "nltk"
    for split in ("train", "valid", "test"):
        corpus = TokenizedCorpus(run / f"{split}.arrow")
        whole = [i for i in range(len(corpus)) if "<unk>" not in corpus.text(i)]
        assert len(whole) >= len(corpus) / 2
        for i in whole:
            assert tokenizer.encode(corpus.text(i)) == corpus.ids(i).tolist()
    assert RULES["nltk"].cut('"Don’t," he said.') == ["``", "Don", "’", "t", ",", "''", "he", "said", "."]
    assert RULES["nltk"].join(["``", "Do", "n't", ",", "''", "he", "said", "."]) == '"Don\'t," he said.'


def test_truncated_and_windowed_texts_are_stored_as_they_were_written(tmp_path: Path) -> None:
    text = 'She said "it’s 5kg" (or so) - see http://x.org/a, @anna :)'
    tokenizer = WordConfig().train([text])
    for overlong in ("truncate", "window"):
        for longest in range(1, 12):
            path = tmp_path / f"{overlong}-{longest}.arrow"
            write_tokenized(path, [Example(text)], tokenizer, max_tokens=longest, overlong=overlong)  # type: ignore[arg-type]
            corpus = TokenizedCorpus(path)
            kept = [corpus.text(i) for i in range(len(corpus))]
            assert text.startswith(kept[0])
            rest = text
            for part in kept:
                assert rest.lstrip(" ").startswith(part)
                rest = rest.lstrip(" ")[len(part) :]
            assert rest == "" or overlong == "truncate"
