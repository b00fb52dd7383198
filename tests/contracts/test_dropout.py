"""The `dropout` of every encoder and decoder that has one acts where its description says, and in training only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.components import DECODERS, ENCODERS, LABEL_FORMS, random_batch, scramble
from textvae.decoders import DecoderConfig
from textvae.encoders import EncoderConfig
from textvae.types import Batch

RATE, SENTENCES, LATENT, LABELS = 0.5, 30, 3, 2


def batch() -> Batch:
    return random_batch(sentences=SENTENCES)


def encoded(config: EncoderConfig) -> tuple[nn.Module, Any]:
    encoder = scramble(config.model_copy(update={"dropout": RATE}).build(vocab_size=11, max_tokens=9))
    given = batch()
    return encoder, lambda: encoder(given.tokens_BT, given.lengths_B)


def decoded(config: DecoderConfig, labels: int = 0, **settings: float) -> tuple[nn.Module, Any]:
    quiet = {"word_dropout": 0.0 if config.word_dropout < 1 else 1.0, "dropout": RATE}
    if hasattr(config, "state_dropout"):
        quiet["state_dropout"] = 0.0
    decoder = scramble(
        config.model_copy(update={**quiet, **settings}).build(
            vocab_size=11, latent_dim=LATENT, num_labels=labels, max_tokens=9
        )
    )
    z_ND = torch.randn(SENTENCES, LATENT)
    label_N = torch.arange(SENTENCES) % labels if labels else None
    return decoder, lambda: decoder.states(batch().tokens_BT[:, :-1], z_ND, label_N)


def decoded_for_labels(config: DecoderConfig) -> tuple[nn.Module, Any]:
    return decoded(config, LABELS)


BUILT = {
    **{
        f"encoder-{name}": (encoded, config)
        for name, config in ENCODERS.items()
        if "dropout" in type(config).model_fields
    },
    **{
        f"decoder-{name}": (decoded, config)
        for name, config in DECODERS.items()
        if "dropout" in type(config).model_fields
    },
}
FOR_LABELS = {f"labels-{name}": (decoded_for_labels, DECODERS[name]) for name in LABEL_FORMS}
RECURRENT = [name for name, (_, config) in BUILT.items() if config.kind in ("lstm", "gru")]
ATTENDING = [name for name, (_, config) in BUILT.items() if config.kind == "transformer"]


def entering(module: nn.Module) -> list[Tensor]:
    """What a module is given from now on: its first input."""
    seen: list[Tensor] = []
    module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    return seen


def assert_dropped(x: Tensor) -> None:
    """About `RATE` of it is zero: 120 numbers or more, within 6 standard errors."""
    assert x.numel() >= 120
    assert (x == 0).float().mean().item() == pytest.approx(RATE, abs=6 * (RATE * (1 - RATE) / 120) ** 0.5)


def assert_locked(x_BTH: Tensor) -> None:
    zero_BTH = x_BTH == 0
    assert torch.equal(zero_BTH, zero_BTH[:, :1].expand_as(zero_BTH)), "one mask for all positions"
    assert_dropped(x_BTH[:, 0])


@pytest.mark.parametrize("name", [*BUILT, *FOR_LABELS])
def test_dropout_acts_in_training_only(name: str) -> None:
    made, config = {**BUILT, **FOR_LABELS}[name]
    module, run = made(config)
    assert not torch.equal(module.train() and run(), run())
    assert torch.equal(module.eval() and run(), run())
    module.train()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif hasattr(part, "rate"):
            part.rate = 0.0
        elif isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0
    torch.testing.assert_close(run(), module.eval() and run(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_parts_drop_from_embeddings_between_layers_and_from_outputs(name: str) -> None:
    made, config = BUILT[name]
    module, run = made(config)
    module.train()
    into = entering(module.stack)
    layers = [entering(layer) for layer in module.stack.forward_layers]
    output = run()
    assert_locked(into[0][..., : config.embedding_dim])
    for seen in layers[1:]:
        assert_locked(seen[0])
    # Of an encoder the mask is seen through the pooling: a feature that is 0 everywhere is 0 at last.
    assert_locked(output) if output.dim() == 3 else assert_dropped(output)


@pytest.mark.parametrize("name", ATTENDING)
def test_transformers_drop_from_embeddings_and_from_what_each_sub_layer_adds(name: str) -> None:
    made, config = BUILT[name]
    module, run = made(config)
    module.train()
    into = entering(module.blocks[0])
    added: list[list[Tensor]] = []
    for block in module.blocks:
        assert block.self_attention.dropout == RATE
        added.append([])
        block.dropout.register_forward_hook(lambda _module, _args, out, kept=added[-1]: kept.append(out))
    run()
    assert_dropped(into[0])
    sub_layers = 3 if getattr(config, "z_to", "") == "cross_attention" else 2
    for kept in added:
        assert len(kept) == sub_layers
        for out in kept:
            assert_dropped(out)


def test_attention_drops_weights_in_training() -> None:
    module, run = BUILT["decoder-transformer-prefix"][0](DECODERS["transformer-prefix"])
    module.train()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    assert not torch.equal(run(), run())


@pytest.mark.parametrize("name", [name for name in DECODERS if hasattr(DECODERS[name], "state_dropout")])
@pytest.mark.parametrize("labels", [0, LABELS])
def test_state_dropout_of_a_decoder_acts_in_training_only(name: str, labels: int) -> None:
    decoder, run = decoded(DECODERS[name], labels, dropout=0.0, state_dropout=RATE)
    assert not torch.equal(decoder.train() and run(), run())
    assert torch.equal(decoder.eval() and run(), run())
