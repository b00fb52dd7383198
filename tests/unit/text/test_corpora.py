"""Corpora of every kind: what they give, how they are split, and what they say of bad input."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter

import pytest

from textvae.disk import installed, names_in
from textvae.errors import ConfigError, DataError
from textvae.text.corpora import Example, LinesCorpus, ReadReport, find_card, load_card
from textvae.text.inspect import inspect_file


def card(tmp_path, text, **overrides):
    path = tmp_path / "card.toml"
    path.write_text(text)
    return load_card(path, overrides=overrides)


def read(corpus, split="train"):
    return [tuple(example) for example in corpus.read(split)]


TABLE = [("good, really", "pos"), ('he said "no"', "neg"), ("so so", None)]
WRITERS = {
    "csv": ('kind = "csv"', 'id,text,label\n1,"good, really",pos\n2,"he said ""no""",neg\n3,so so,\n'),
    "tsv": ('kind = "tsv"', 'id\ttext\tlabel\n1\tgood, really\tpos\n2\the said "no"\tneg\n3\tso so\t\n'),
    "jsonl": (
        'kind = "json_lines"',
        "\n".join(json.dumps({"text": text, **({"label": label} if label else {})}) for text, label in TABLE) + "\n\n",
    ),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("ending", WRITERS)
def test_tables(tmp_path, ending, zipped):
    kind, content = WRITERS[ending]
    name = f"x.{ending}" + (".gz" if zipped else "")
    (tmp_path / name).write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
    corpus = card(tmp_path, f'{kind}\nlabel_column = "label"\nfiles = {{ train = "{name}" }}')
    assert read(corpus) == TABLE
    assert corpus.has_labels and corpus.label_names() == ["neg", "pos"] and corpus.splits == ("train",)
    with pytest.raises(DataError, match=r"has no column 'body'; its columns are .*'text'"):
        read(card(tmp_path, f'{kind}\ntext_column = "body"\nfiles = {{ train = "{name}" }}'))
    with pytest.raises(DataError, match="has no test split; it has train"):
        read(corpus, "test")


def test_without_header(tmp_path):
    (tmp_path / "x.tsv").write_text("pos\tgood\nneg\tbad\n")
    table = 'kind = "tsv"\nheader = false\nfiles = { train = "x.tsv" }\n'
    assert read(card(tmp_path, table + "label_column = 0\ntext_column = 1")) == [("good", "pos"), ("bad", "neg")]
    with pytest.raises(DataError, match=r"no column 2; its columns are '0', '1'"):
        read(card(tmp_path, table + "text_column = 2"))
    with pytest.raises(ConfigError, match="position"):
        card(tmp_path, table + 'text_column = "text"')


def test_lines(tmp_path):
    (tmp_path / "x.txt").write_bytes("\ufeffone\r\n\ntwo\u2028still two".encode())
    corpus = card(tmp_path, 'kind = "lines"\nfiles = { train = "x.txt" }')
    assert read(corpus) == [("one", None), ("", None), ("two\u2028still two", None)]
    assert not corpus.has_labels and corpus.name == "card"
    with pytest.raises(DataError, match="has no labels"):
        corpus.label_names()


def test_several_files_a_split(tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "b.txt").write_text("b\n")
    assert read(card(tmp_path, 'kind = "lines"\nfiles = { train = ["a.txt", "b.txt"] }')) == [("a", None), ("b", None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.txt is empty"),
        (b"good\nna\xefve\n", r"x\.txt, line 2 is not UTF-8 \(byte 0xef at column 3\)"),
        (b"good\r\n" * 3 + b"\xff\xfeh\x00", r"line 4 is not UTF-8"),
    ],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(card(tmp_path, 'kind = "lines"\nfiles = { train = "x.txt" }'))


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("json_lines", '{"text": "a"}\n{"text": \n', r"line 2 is not JSON \(Expecting value at column 10\)"),
        ("json_lines", '{"text": "a"}\n["b"]\n', "line 2 is a JSON list"),
        ("json_lines", '{"text": {"a": 3}}\n', "line 1: 'text' is an object"),
        ("csv", 'text\n"never closed\n', "is not CSV"),
        ("tsv", "a\ttext\n1\tx\n2\n", "line 3 has 1 columns"),
    ],
)
def test_bad_tables(tmp_path, kind, content, message):
    (tmp_path / "x").write_text(content)
    with pytest.raises(DataError, match=message):
        read(card(tmp_path, f'kind = "{kind}"\nfiles = {{ train = "x" }}'))


def test_truncated_gzip(tmp_path):
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"hello there\n" * 1000)[:-9])
    with pytest.raises(DataError, match="no whole gzip file"):
        read(card(tmp_path, 'kind = "lines"\nfiles = { train = "x.txt.gz" }'))


@pytest.mark.parametrize("name", ["x.txt.gz", "x.csv.gz", "x.jsonl.gz"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_no_whole_gzip_file_is_no_text(tmp_path, name, whole):
    """By its name it is one; a few bytes of a real one have no line at all."""
    raw = b'{"text": "hello there"}\n' * 1000
    (tmp_path / name).write_bytes(raw if whole else gzip.compress(raw)[:20])
    told = "ends in .gz and is not compressed by gzip; rename it" if whole else "is no whole gzip file .*fetch it again"
    with pytest.raises(DataError, match=rf"{name} {told}"):
        inspect_file(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name} {told}"):
        read(card(tmp_path, f'kind = "lines"\nfiles = {{ train = "{name}" }}'))


def test_checksums(tmp_path):
    (tmp_path / "x.txt").write_text("hello\n")
    good = hashlib.sha256(b"hello\n").hexdigest()
    text = 'kind = "lines"\nfiles = { train = "x.txt" }\nchecksums = { train = "sha256:%s" }'
    assert read(card(tmp_path, text % good)) == [("hello", None)]
    with pytest.raises(DataError, match=rf"has checksum sha256:{good}, the card .* expects sha256:00"):
        read(card(tmp_path, text % ("00" * 32)))


def test_where_the_files_are(tmp_path, monkeypatch):
    for place in ("data/c", "own", "env/c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.txt").write_text(place)
    text = 'kind = "lines"\nname = "c"\nfolder = "c"\nfiles = { train = "x.txt" }\n'
    monkeypatch.delenv("TEXTVAE_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"Corpus 'c' needs .*x\.txt, which does not exist; .*TEXTVAE_DATA.*corpus\.root=DIR"
    ):
        read(card(tmp_path, text))
    monkeypatch.setenv("TEXTVAE_DATA", str(tmp_path / "env"))
    assert read(card(tmp_path, text)) == [("env/c", None)]
    assert read(card(tmp_path, text + 'root = "own"')) == [("own", None)]
    # On the command line, the corpus' own folder or the one above it.
    assert read(card(tmp_path, text, root=str(tmp_path / "data" / "c"))) == [("data/c", None)]
    assert read(card(tmp_path, text, root=str(tmp_path / "data"))) == [("data/c", None)]
    monkeypatch.chdir(tmp_path)
    assert read(card(tmp_path, text, root="own")) == [("own", None)]


def test_splits_by_hash(tmp_path):
    lines = [f"sentence {i % 700}" + "  " * (i > 700) for i in range(2000)]
    (tmp_path / "x.txt").write_text("\n".join(lines))
    corpus = card(
        tmp_path,
        'kind = "lines"\nfiles = { train = "x.txt" }\nsplit_fractions = { train = 0.8, valid = 0.1, test = 0.1 }',
    )
    assert corpus.splits == ("train", "valid", "test")
    parts = {split: [text.strip() for text, _ in read(corpus, split)] for split in corpus.splits}
    assert sum(map(len, parts.values())) == 2000
    assert not set(parts["train"]) & (set(parts["valid"]) | set(parts["test"])) and not set(parts["valid"]) & set(
        parts["test"]
    )
    assert 0.75 < len(parts["train"]) / 2000 < 0.85 and min(map(len, parts.values())) > 120
    assert parts["test"] == [text.strip() for text, _ in read(corpus, "test")]
    assert read(corpus.model_copy(update={"seed": 1}), "test") != read(corpus, "test")


def test_valid_cut_from_train_beside_a_test_file(tmp_path):
    (tmp_path / "train.txt").write_text("\n".join(f"line {i}" for i in range(200)))
    (tmp_path / "test.txt").write_text("the test\n")
    corpus = card(
        tmp_path,
        'kind = "lines"\nfiles = { train = "train.txt", test = "test.txt" }\n'
        "split_fractions = { train = 0.8, valid = 0.2 }",
    )
    assert corpus.splits == ("train", "valid", "test")
    assert len(read(corpus)) + len(read(corpus, "valid")) == 200 and read(corpus, "test") == [("the test", None)]


def test_limits_and_filters(tmp_path):
    (tmp_path / "x.txt").write_text("\n".join(["one", "", "a b c d e"] + [f"word {i}" for i in range(97)]))
    corpus = card(
        tmp_path, 'kind = "lines"\nfiles = { train = "x.txt" }\nmin_words = 2\nmax_words = 4', limit={"train": 10}
    )
    report = ReadReport()
    texts = [text for text, _ in corpus.read("train", report)]
    assert report == ReadReport(read=10, too_short=1, too_long=1, over_limit=88)
    assert len(texts) == 10 and texts == [text for text, _ in read(corpus)]
    assert any(text > "word 5" for text in texts)  # drawn from the whole file
    assert len(read(corpus.model_copy(update={"limit": {}}))) == 98
    whole = read(corpus.model_copy(update={"limit": {}}))
    assert read(corpus.model_copy(update={"keep": "first"})) == whole[:10] != read(corpus)


def test_split_into_sentences(tmp_path):
    text = "Dr. Smith went to Washington. He met Dr. Jones there. " * 20
    (tmp_path / "x.txt").write_text(text + "\nShort one. And another.\n")
    corpus = card(tmp_path, 'kind = "lines"\nfiles = { train = "x.txt" }\nsplit_sentences = true')
    sentences = [sentence for sentence, _ in read(corpus)]
    assert (
        sentences[:2] == ["Dr. Smith went to Washington.", "He met Dr. Jones there."]
        and sentences[-1] == "And another."
    )


def test_fingerprint(tmp_path):
    (tmp_path / "x.txt").write_text("hello\n")
    text = 'kind = "lines"\nfiles = { train = "x.txt" }\n'
    first = card(tmp_path, text).fingerprint()
    assert len(first) == 64 and card(tmp_path, text + 'description = "other"').fingerprint() == first
    assert card(tmp_path, text + "min_words = 2").fingerprint() != first
    (tmp_path / "x.txt").write_text("hello you\n")
    assert card(tmp_path, text).fingerprint() != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "lines"\nfiles = { train = "x" }\nlicense = "MIT"', "unknown setting .*licen"),
        ('kind = "line"\nfiles = { train = "x" }', "has kind 'line'; expected one of"),
        ('files = { train = "x" }', "has no kind"),
        ('kind = "lines"\nfiles = { test = "x" }', "train split"),
        ('kind = "lines"\nfiles = { train = "x" }\nsplit_fractions = { train = 0.5 }', "sum to 1"),
        ('kind = "lines', "is not TOML"),
    ],
)
def test_bad_cards(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        card(tmp_path, text)


def test_cards_by_name():
    names = set(names_in(installed("cards")))
    assert {"bible", "ptb", "yelp_short", "imdb", "mr", "subj", "trec", "tatoeba_en"} <= names
    for name in names:
        corpus = load_card(name)
        assert corpus.name == name and corpus.licence and corpus.description and corpus.source
        assert corpus.splits == ("train", "valid", "test")
        if name != "bible":
            assert corpus.folder == name and set(corpus.checksums) == set(corpus.files)
    with pytest.raises(ConfigError, match=r"no corpus card 'bibel'; .*bible"):
        find_card("bibel")


def test_one_order_of_looking_for_a_card(tmp_path, monkeypatch):
    """Beside the recipe, the data folder next to it, here, ./data, then those installed."""
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / "project" / "recipes"
    folders = [beside, beside.parent / "data", tmp_path, tmp_path / "data", installed("cards")]
    for folder in folders[:-1]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ptb.toml").write_text('kind = "lines"\nfiles = { train = "x.txt" }')
    for place, folder in enumerate(folders):
        assert find_card("ptb", beside) == find_card("ptb.toml", beside) == folder / "ptb.toml"
        assert find_card("ptb") == folders[max(place, 2)] / "ptb.toml"
        if folder != installed("cards"):
            (folder / "ptb.toml").unlink()
    # Where no recipe names it, a path of a checkout means the installed card; a recipe's path means that file alone.
    assert find_card("data/ptb.toml") == find_card("/nowhere/ptb") == installed("cards") / "ptb.toml"
    for name in ("data/ptb.toml", "/nowhere/ptb"):
        with pytest.raises(ConfigError, match=r"there is no corpus card .* beside the recipe .*did you mean 'ptb'"):
            find_card(name, beside)


def test_a_linked_card_of_the_python_api_lies_where_the_link_does(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "card.toml").write_text('kind = "lines"\nfiles = { train = "x.txt" }')
    (tmp_path / "x.txt").write_text("here\n")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real" / "card.toml")
    assert read(load_card(tmp_path / "link.toml")) == [("here", None)]


def test_bible():
    corpus = load_card("bible")
    examples = {split: read(corpus, split) for split in corpus.splits}
    everything = [example for part in examples.values() for example in part]
    assert len(everything) > 15_000
    assert corpus.label_names() == ["gospels", "history", "law", "letters", "prophets", "wisdom"]
    counts = Counter(label for _, label in everything)
    assert min(counts.values()) > len(everything) / 20 and max(counts.values()) < len(everything) / 3
    for text, _ in everything:
        assert 4 <= len(text.split()) <= 14
        assert text.count('"') % 2 == 0 and text.count("(") == text.count(")") and "`" not in text and "[" not in text
    texts = {split: {text for text, _ in part} for split, part in examples.items()}
    assert not texts["train"] & (texts["valid"] | texts["test"])
    assert sum(text[0].islower() or text[-1].isalnum() for text, _ in everything) < 10


def test_hub_folder(tmp_path):
    import datasets

    features = datasets.Features(
        {"body": datasets.Value("string"), "stars": datasets.ClassLabel(names=["bad", "good"])}
    )
    table = datasets.Dataset.from_dict({"body": ["a b", "c d"], "stars": [1, -1]}, features=features)
    datasets.DatasetDict({"train": table, "validation": table}).save_to_disk(tmp_path / "saved")
    corpus = card(
        tmp_path,
        'kind = "hub"\ndataset = "saved"\ntext_column = "body"\nlabel_column = "stars"\n'
        'splits_of_source = { train = "train", valid = "validation" }',
    )
    assert corpus.splits == ("train", "valid") and read(corpus, "valid") == [("a b", "good"), ("c d", None)]
    assert len(corpus.fingerprint()) == 64
    with pytest.raises(DataError, match="no column 'text'; its columns are body, stars"):
        read(card(tmp_path, 'kind = "hub"\ndataset = "saved"'))
    with pytest.raises(DataError, match="has no split 'dev'"):
        read(card(tmp_path, 'kind = "hub"\ndataset = "saved"\nsplits_of_source = { train = "dev" }'))


def test_reading_is_lazy(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"fine\n" * 10 + b"\xff\n")
    corpus = LinesCorpus(name="x", root=str(tmp_path), files={"train": "x.txt"})
    stream = corpus.read("train")
    assert [next(stream) for _ in range(10)] == [Example("fine")] * 10
