"""Sentences in, changed sentences out: what every augmentation must do, and what each does."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from tests.components import AUGMENTATIONS
from textvae.augmentations import (
    Augmentation,
    AugmentationConfig,
    DeletionConfig,
    LocalSwapConfig,
    MaskingConfig,
    Synonyms,
    SynonymsConfig,
)
from textvae.config import parse
from textvae.errors import ConfigError
from textvae.text.tokenizers import WordConfig
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Batch

TOKENIZER = WordConfig(vocab_size=12).train(["a b c d e f g"] * 3)
V = TOKENIZER.vocab_size


def sentences(count: int = 200) -> Batch:
    """Sentences of one to nine tokens, with labels and numbers."""
    generator = torch.Generator().manual_seed(0)
    lengths_B = torch.randint(3, 12, (count,), generator=generator)
    tokens_BT = torch.randint(4, V, (count, 13), generator=generator)
    place_T = torch.arange(13)
    tokens_BT[:, 0] = BOS_ID
    tokens_BT = tokens_BT.where(place_T != lengths_B.unsqueeze(1) - 1, torch.tensor(EOS_ID))
    tokens_BT = tokens_BT.where(place_T < lengths_B.unsqueeze(1), torch.tensor(PAD_ID))
    return Batch(tokens_BT, lengths_B, torch.arange(count) % 3 - 1, torch.arange(count))


def built(name: str) -> Augmentation:
    return AUGMENTATIONS[name].build(TOKENIZER)


def words(batch: Batch) -> list[list[int]]:
    return [row[1 : n - 1] for row, n in zip(batch.tokens_BT.tolist(), batch.lengths_B.tolist(), strict=True)]


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_changed_sentences_are_sentences(name: str) -> None:
    """BOS first, EOS last, padding behind; at least one token; labels and numbers as they were."""
    batch = sentences()
    torch.manual_seed(0)
    changed = built(name)(batch)
    assert words(changed) != words(batch)
    place_T = torch.arange(changed.tokens_BT.shape[1])
    last_B1 = changed.lengths_B.unsqueeze(1) - 1
    tokens_BT = changed.tokens_BT
    assert (tokens_BT[:, 0] == BOS_ID).all() and (changed.lengths_B >= 3).all()
    assert ((tokens_BT == EOS_ID) == (place_T == last_B1)).all()
    assert ((tokens_BT == PAD_ID) == (place_T > last_B1)).all()
    assert (tokens_BT < V).all()
    for field in dataclasses.fields(Batch):
        if field.name not in ("tokens_BT", "lengths_B"):
            before, after = getattr(batch, field.name), getattr(changed, field.name)
            assert (before is None and after is None) or torch.equal(before, after)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_seed_gives_the_same_changes_and_the_batch_stays_as_it_is(name: str) -> None:
    batch, before = sentences(), sentences()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(words(built(name)(batch)))
    assert found[0] == found[1] != found[2] or name == "synonyms-always"
    assert torch.equal(batch.tokens_BT, before.tokens_BT) and torch.equal(batch.lengths_B, before.lengths_B)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_configs_survive_json(name: str) -> None:
    config = AUGMENTATIONS[name]
    assert parse(AugmentationConfig, config.model_dump(mode="json"), name) == config


@pytest.mark.parametrize(
    "settings",
    [DeletionConfig(rate=0.0), LocalSwapConfig(distance=0), MaskingConfig(rate=0.0),
     SynonymsConfig(words={"a": ("b",)}, rate=0.0)],
    ids=lambda settings: settings.kind,
)  # fmt: skip
def test_with_nothing_to_change_nothing_changes(settings: AugmentationConfig) -> None:
    assert words(settings.build(TOKENIZER)(sentences())) == words(sentences())


def test_deletion_keeps_the_order_and_leaves_out_the_share_asked_for() -> None:
    batch = sentences(4000)
    torch.manual_seed(0)
    before, after = words(batch), words(DeletionConfig(rate=0.3).build(None)(batch))
    for whole, rest in zip(before, after, strict=True):
        left = iter(whole)
        assert all(token in left for token in rest), "a subsequence"
    long = [(len(whole), len(rest)) for whole, rest in zip(before, after, strict=True) if len(whole) >= 6]
    assert sum(rest for _, rest in long) / sum(whole for whole, _ in long) == pytest.approx(0.7, abs=0.02)
    torch.manual_seed(0)
    assert min(map(len, words(DeletionConfig(rate=0.999).build(None)(batch)))) >= 1


@pytest.mark.parametrize("distance", [1, 3])
def test_no_token_moves_further_than_the_distance(distance: int) -> None:
    length = 30
    tokens_BT = torch.cat([torch.tensor([BOS_ID]), torch.arange(4, 4 + length), torch.tensor([EOS_ID])]).repeat(500, 1)
    torch.manual_seed(0)
    changed = LocalSwapConfig(distance=distance).build(None)(Batch(tokens_BT, torch.full((500,), length + 2)))
    moved = (changed.tokens_BT[:, 1:-1] - 4 - torch.arange(length)).abs()
    assert moved.max() == distance and (changed.tokens_BT[:, 1:-1].sort(1).values == torch.arange(4, 4 + length)).all()


def test_masking_hides_the_share_asked_for() -> None:
    batch = sentences(4000)
    torch.manual_seed(0)
    after = [token for row in words(MaskingConfig(rate=0.25).build(None)(batch)) for token in row]
    assert sum(token == UNK_ID for token in after) / len(after) == pytest.approx(0.25, abs=0.02)


def test_synonyms_are_those_of_the_table_all_equally_likely() -> None:
    a, b, c, d = (TOKENIZER.encode(word)[0] for word in "abcd")
    tokens_BT = torch.tensor([[BOS_ID, a, d, EOS_ID]]).repeat(4000, 1)
    torch.manual_seed(0)
    table = {"a": ("b", "c", "unheard"), "unknown": ("d",)}
    found = words(Synonyms(table, TOKENIZER, 0.5)(Batch(tokens_BT, torch.full((4000,), 4))))
    shares = [sum(row[0] == token for row in found) / 4000 for token in (a, b, c)]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.03) and all(row[1] == d for row in found)


def test_synonyms_without_a_word_that_the_tokenizer_knows_are_refused() -> None:
    with pytest.raises(ConfigError, match="none of the 1 words of the synonyms"):
        SynonymsConfig(words={"unheard": ("a",)}).build(TOKENIZER)
    with pytest.raises(ConfigError, match="has no tokenizer"):
        SynonymsConfig(words={"a": ("b",)}).build(None)


def test_a_users_function_is_an_augmentation() -> None:
    def upside_down(batch: Batch) -> Batch:
        return dataclasses.replace(batch, tokens_BT=batch.tokens_BT.flip(0))

    made: Augmentation = upside_down
    assert words(made(Batch(torch.tensor([[1, 5, 2], [1, 6, 2]]), torch.tensor([3, 3])))) == [[6], [5]]
    assert isinstance(built("masking")(sentences(3)).tokens_BT, Tensor)
