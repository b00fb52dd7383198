"""A label in the cell of an LSTM decoder, and before the words of a transformer: what it changes and what not."""

from __future__ import annotations

import pytest
import torch

from tests.components import DECODERS, LABEL_FORMS, random_batch, scramble
from textvae.config import parse
from textvae.decoders import DecoderConfig, LSTMDecoderConfig, RecurrentDecoder, TransformerDecoderConfig
from textvae.errors import ConfigError
from textvae.types import BOS_ID, Context

D, C = 3, 4
SIZES = {"vocab_size": 11, "latent_dim": D, "max_tokens": 9}
CELLS = [name for name, config in DECODERS.items() if isinstance(config, LSTMDecoderConfig) and config.label_in_cell]


def labelled(name: str) -> RecurrentDecoder:
    decoder = scramble(DECODERS[name].build(**SIZES, num_labels=C)).eval()  # type: ignore[arg-type]
    assert isinstance(decoder, RecurrentDecoder) and decoder.label_cell is not None
    return decoder


@pytest.mark.parametrize("name", CELLS)
def test_without_a_term_the_decoder_is_the_one_without_labels(name: str) -> None:
    """A decoder with W_y = 0, as it begins, and one without labels that has its other weights: within 1e-5."""
    begun = DECODERS[name].build(**SIZES, num_labels=C)  # type: ignore[arg-type]
    assert isinstance(begun, RecurrentDecoder) and begun.label_cell is not None and not begun.label_cell.weight.any()
    decoder = labelled(name)
    assert decoder.label_cell is not None
    torch.nn.init.zeros_(decoder.label_cell.weight)
    plain = DECODERS[name].build(**SIZES).eval()  # type: ignore[arg-type]
    plain.load_state_dict({k: v for k, v in decoder.state_dict().items() if k != "label_cell.weight"})
    batch, z = random_batch(labels=C), torch.randn(2, 5, D)
    found = decoder.token_log_prob(batch.tokens_BT, z, Context(label_B=batch.label_B))
    torch.testing.assert_close(found, plain.token_log_prob(batch.tokens_BT, z), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_the_first_step_moves_the_first_cell_by_the_label_s_term(name: str) -> None:
    """By tanh(W_y y), within 1e-6; the inputs have no part for the label."""
    decoder, label_N = labelled(name), torch.arange(C)
    z, bos = torch.randn(1, D).expand(C, D), torch.full((C,), BOS_ID)
    _, (with_label, constant, _) = decoder.step(bos, decoder.init_state(z, Context(label_B=label_N)))
    assert constant.shape == (C, D)
    assert decoder.label_cell is not None
    term_NH = torch.tanh(decoder.label_cell.weight[:, : decoder.hidden_dim]).detach()
    torch.nn.init.zeros_(decoder.label_cell.weight)
    _, (without, _, _) = decoder.step(bos, decoder.init_state(z, Context(label_B=label_N)))
    torch.testing.assert_close(with_label[0][1] - without[0][1], term_NH, rtol=0, atol=1e-6)
    assert (term_NH.abs() > 1e-3).any(1).all()


@pytest.mark.parametrize("name", LABEL_FORMS)
def test_gradients_in_the_weights_equal_finite_differences(name: str) -> None:
    """float64, along random directions in all weights at once, 1e-6."""
    decoder = scramble(DECODERS[name].build(**SIZES, num_labels=C), scale=0.4).double().eval()  # type: ignore[arg-type]
    batch, z = random_batch(labels=C), torch.randn(2, 5, D, dtype=torch.float64)
    context, parameters = Context(label_B=batch.label_B), list(decoder.parameters())

    def score() -> torch.Tensor:
        return decoder.log_prob(batch.tokens_BT, z, context).sum()  # type: ignore[operator]

    grads = torch.autograd.grad(score(), parameters)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        towards = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in parameters]
        slope = sum((grad * way).sum().item() for grad, way in zip(grads, towards, strict=True))
        values = []
        with torch.no_grad():
            for step in (1e-6, -2e-6):
                for part, way in zip(parameters, towards, strict=True):
                    part.add_(step * way)
                values.append(score().item())
            for part, way in zip(parameters, towards, strict=True):
                part.add_(1e-6 * way)
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        (LSTMDecoderConfig(), LSTMDecoderConfig(label_to="cell")),
        (TransformerDecoderConfig(), TransformerDecoderConfig(label_to="prefix")),
    ],
    ids=["lstm", "transformer"],
)
def test_without_labels_the_setting_changes_nothing(plain: DecoderConfig, other: DecoderConfig) -> None:
    """To the bit: the same weights are drawn, and the same numbers come out."""
    batch, z, found = random_batch(), torch.randn(1, 5, D), []
    for config in (plain, other):
        torch.manual_seed(0)
        decoder = config.build(**SIZES).eval()  # type: ignore[arg-type]
        found.append((decoder.state_dict(), decoder.log_prob(batch.tokens_BT, z)))
    (one, one_score), (two, two_score) = found
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(one_score, two_score)


def test_a_gru_has_no_cell() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'label_to'; other tables or kinds have it"):
        parse(DecoderConfig, {"kind": "gru", "label_to": "cell"}, "recipe")
    with pytest.raises(ConfigError, match="should be 'input' or 'cell'"):
        parse(DecoderConfig, {"kind": "lstm", "label_to": "prefix"}, "recipe")
