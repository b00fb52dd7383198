"""A prior conditioned on vectors: what reaches it, its bounds, its sentences, and who refuses it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import SMALL, TINY_T, random_batch, scramble
from tests.unit.pipeline.test_cli import refused, run
from textvae.config import parse
from textvae.decoders import DecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError, DataError, ModelError
from textvae.evaluation import likelihood
from textvae.models import TextVAE, TextVAEConfig, load_model
from textvae.objectives import ELBOConfig
from textvae.priors import ConditionalPriorConfig
from textvae.tasks import generate_sentences, impute, interpolate, reconstruct
from textvae.text.batching import encode_texts
from textvae.text.tokenizers import WordConfig
from textvae.training import TrainConfig
from textvae.types import Batch

DECODERS: dict[str, DecoderConfig] = {
    "lstm": LSTMDecoderConfig(**SMALL),
    "transformer": TransformerDecoderConfig(**TINY_T),
}
D, H = 3, 2
OBJECTIVE = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
TEXTS = ["the cat sleeps", "a dog sleeps", "no cat sings", "the sea sings", "the dog and the cat"]
TOKENIZER = WordConfig(vocab_size=40).train(TEXTS)
DOCS = Path(__file__).parents[2] / "docs" / "choosing.md"


def built(decoder: str = "lstm", prior: Any = None, vocab_size: int = 11) -> TextVAE:
    """The same encoder, posterior and decoder whatever the prior."""
    parts: dict[str, Any] = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS[decoder]}
    parts["prior"] = ConditionalPriorConfig(vector_dim=H, hidden_dim=7) if prior is None else prior
    model = TextVAEConfig(latent_dim=D, **parts).build(vocab_size=vocab_size, max_tokens=9)
    for name, parameter in model.named_parameters():
        if not name.startswith("prior"):
            torch.manual_seed(len(name))
            torch.nn.init.normal_(parameter, std=0.7)
    return model.eval()


def with_vectors(seed: int = 0) -> Batch:
    batch = random_batch()
    generator = torch.Generator().manual_seed(seed)
    return replace(batch, vector_BH=torch.randn(len(batch.lengths_B), H, generator=generator))


class _Corpus:
    """A batch as a corpus that an evaluation can read."""

    def __init__(self, batch: Batch) -> None:
        self.whole = batch

    @property
    def lengths(self) -> np.ndarray:
        return self.whole.lengths_B.numpy()

    def __len__(self) -> int:
        return len(self.whole.lengths_B)

    def batch(self, indices: Any) -> Batch:
        index, whole = torch.as_tensor(indices), self.whole
        longest = int(whole.lengths_B[index].max())
        vector_BH = None if whole.vector_BH is None else whole.vector_BH[index]
        return Batch(whole.tokens_BT[index, :longest], whole.lengths_B[index], None, index, vector_BH=vector_BH)


@pytest.mark.parametrize("decoder", DECODERS)
class TestTheModel:
    def test_before_training_it_is_the_unconditional_one_to_the_last_bit(self, decoder: str) -> None:
        batch, losses = with_vectors(), []
        for prior in ({"kind": "standard_normal"}, None):
            model = built(decoder, prior)
            torch.manual_seed(0)
            losses.append(OBJECTIVE(model.terms(batch), 0).loss_B)
        torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=0)

    def test_the_batch_s_vectors_reach_the_prior_and_teach_it(self, decoder: str) -> None:
        model, batch = built(decoder), with_vectors()
        scramble(model.prior)
        group = model.terms(batch).latents[0]
        assert group.kl_U is not None and group.prior.batch_shape == (5,)
        other = model.terms(replace(batch, vector_BH=with_vectors(1).vector_BH)).latents[0]
        assert (other.kl_U - group.kl_U).abs().min() > 1e-3  # type: ignore[operator]
        OBJECTIVE(model.terms(batch), 0).loss_B.sum().backward()
        assert all(part.grad is not None and part.grad.abs().max() > 0 for part in model.prior.parameters())

    def test_the_kl_is_zero_where_the_prior_is_the_posterior(self, decoder: str) -> None:
        model, batch = built(decoder), with_vectors()
        one = Batch(batch.tokens_BT[:1], batch.lengths_B[:1], vector_BH=batch.vector_BH[:1])  # type: ignore[index]
        q = model.posterior_of(one)
        last = model.prior.network[-1]  # type: ignore[index,union-attr]
        with torch.no_grad():
            last.bias.copy_(torch.cat([q.mean, q.variance.log() / 2], -1)[0])  # type: ignore[operator,union-attr]
        kl_B = model.terms(one).latents[0].kl_U
        assert kl_B is not None and kl_B.abs().max() < 1e-5

    def test_the_joint_density_is_that_of_each_sentence_s_vector(self, decoder: str) -> None:
        model, batch = built(decoder), with_vectors()
        scramble(model.prior)
        z_SBD = torch.randn(4, 5, D, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = model.decoder.log_prob(batch.tokens_BT, z_SBD) + model.prior_of(batch).log_prob(z_SBD)
        torch.testing.assert_close(model.log_joint(batch)(z_SBD), expected)
        value_SB, grad_SBD = model.log_joint(batch).value_and_grad(z_SBD)
        torch.testing.assert_close(value_SB, expected)
        assert grad_SBD.shape == z_SBD.shape

    def test_a_likelihood_is_that_given_the_vector(self, decoder: str) -> None:
        corpus = _Corpus(with_vectors())
        plain = likelihood(built(decoder, {"kind": "standard_normal"}), corpus, num_samples=8)
        same = likelihood(built(decoder), corpus, num_samples=8)
        np.testing.assert_allclose(same.iw_nll, plain.iw_nll, rtol=1e-6)  # type: ignore[arg-type]
        model = built(decoder)
        scramble(model.prior)
        measured = likelihood(model, corpus, num_samples=8)
        kl_U = model.terms(corpus.whole).latents[0].kl_U
        assert kl_U is not None and np.abs(measured.kl - plain.kl).min() > 1e-3  # type: ignore[operator]
        np.testing.assert_allclose(measured.kl, kl_U.detach().numpy(), rtol=1e-4)  # type: ignore[arg-type]

    def test_sentences_are_drawn_for_each_vector(self, decoder: str, tmp_path: Path) -> None:
        model = narrow(decoder)
        vectors = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0]])
        expected = model.decode(model.prior_of(batch_of(vectors)).mean)
        assert len(set(expected)) > 1
        for given in (vectors, vectors.numpy(), vectors.tolist()):
            made = generate_sentences(model, 2, vectors=given)
            assert [one.text for one in made] == [text for text in expected for _ in range(2)]
        assert generate_sentences(model, 0, vectors=vectors) == generate_sentences(model, 3, vectors=vectors[:0]) == []
        model.save_pretrained(tmp_path / "model")
        np.save(tmp_path / "v.npy", vectors.numpy())
        assert [one.text for one in generate_sentences(load_model(tmp_path / "model"), 1, vectors=vectors)] == expected
        said = run("generate", "model", "-n", "1", "--vectors", "v.npy", cwd=tmp_path)
        assert said.stdout.splitlines() == expected


def narrow(decoder: str = "lstm") -> TextVAE:
    """A model with a tokenizer whose p(z|v) is next to a point, so that what it writes for v is known."""
    model = built(decoder, vocab_size=TOKENIZER.vocab_size)
    scramble(model.prior, scale=2.0)
    last = model.prior.network[-1]  # type: ignore[index,union-attr]
    with torch.no_grad():
        last.weight[D:] = 0.0  # type: ignore[index,union-attr,operator]
        last.bias[D:] = -30.0  # type: ignore[index,union-attr,operator]
    model.tokenizer = TOKENIZER
    return model


def batch_of(vectors: Tensor) -> Batch:
    return encode_texts(TEXTS[: len(vectors)], TOKENIZER, 9, vector_BH=vectors)


def test_codes_of_sentences_need_no_vector() -> None:
    model = narrow()
    assert model.encode(TEXTS[:2]).shape == (2, D)
    assert [one.text for one in reconstruct(model, TEXTS[:2])] == TEXTS[:2]
    assert len(interpolate(model, *TEXTS[:2], steps=3).texts) == 3


def test_vectors_go_with_their_batch() -> None:
    batch = with_vectors()
    assert batch.vector_BH is not None
    assert torch.equal(batch.to("cpu").vector_BH, batch.vector_BH)  # type: ignore[arg-type]
    double = replace(batch, vector_BH=batch.vector_BH.double())
    assert built().prior_of(double).batch_shape == (5,)
    with pytest.raises(DataError, match="2 vectors for 1 sentences"):
        encode_texts(TEXTS[:1], TOKENIZER, 9, vector_BH=torch.zeros(2, H))


def test_batches_without_their_vectors_are_refused() -> None:
    model = built()
    wrong = [(None, "came with none"), (torch.zeros(5, H + 1), r"shape \(5, 3\)"), (torch.zeros(4, H), r"\(4, 2\)")]
    for vector_BH, said in wrong:
        with pytest.raises(DataError, match=said):
            model.terms(replace(random_batch(), vector_BH=vector_BH))
    with pytest.raises(ConfigError, match="the context has none"):
        model.prior()


def test_what_needs_a_p_of_z_without_a_vector_says_so(tmp_path: Path) -> None:
    model = narrow()
    with pytest.raises(ConfigError, match="vector of 2 numbers, and none was given"):
        generate_sentences(model, 1)
    for vectors, said in (
        ([[1.0]], r"shape \(1, 1\)"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[float("nan"), 0.0]], "not finite"),
        ([["a", "b"]], "no table of numbers"),
    ):
        with pytest.raises(DataError, match=said):
            generate_sentences(model, 1, vectors=vectors)
    with pytest.raises(ModelError, match="no labels"):
        generate_sentences(model, 1, label="good", vectors=[[0.0, 0.0]])
    with pytest.raises(ModelError, match="takes no vectors"):
        generate_sentences(built(prior={"kind": "standard_normal"}), 1, vectors=[[0.0, 0.0]])
    with pytest.raises(ModelError, match="cannot impute"):
        impute(model, "the ___ sleeps")
    model.save_pretrained(tmp_path / "model")
    assert "--vectors FILE.npy" in refused(run("generate", "model", cwd=tmp_path))
    (tmp_path / "text.npy").write_text("no array")
    assert "numpy.save" in refused(run("generate", "model", "--vectors", "text.npy", cwd=tmp_path))
    assert "does not exist" in refused(run("generate", "model", "--vectors", "none.npy", cwd=tmp_path))
    (tmp_path / "sentences.txt").write_text("the cat sleeps\n")
    said = refused(run("evaluate", "model", "--file", "sentences.txt", cwd=tmp_path))
    assert "textvae.evaluation.likelihood" in said


def test_recipes_refuse_it_before_anything_is_trained() -> None:
    model = {"kind": "text_vae", "prior": {"kind": "conditional", "vector_dim": 2}}
    with pytest.raises(ConfigError, match=r"corpora hold no vectors.*prior\.num_labels"):
        parse(TrainConfig, {"model": model}, "test")
    model["prior"] = {"kind": "conditional", "num_labels": 2}
    assert parse(TrainConfig, {"model": model}, "test").model.prior.num_labels == 2


def test_the_loop_of_the_docs_learns_what_vectors_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    texts = ["the cat sleeps", "the cat sings", "a dog sleeps", "a dog sings"] * 4
    vectors = torch.tensor([[float("cat" in text), float("dog" in text)] for text in texts])
    names: dict[str, Any] = {
        "torch": torch, "TextVAEConfig": TextVAEConfig, "ConditionalPriorConfig": ConditionalPriorConfig,
        "ELBOConfig": ELBOConfig, "encode_texts": encode_texts, "generate_sentences": generate_sentences,
        "tokenizer": WordConfig(vocab_size=20).train(texts), "texts": texts, "vectors": vectors,
    }  # fmt: skip
    torch.manual_seed(0)
    exec(code, names)
    model, batch = names["model"].eval(), names["batch"]
    own_B = model.terms(batch).latents[0].kl_U
    swapped_B = model.terms(replace(batch, vector_BH=vectors.flip(1))).latents[0].kl_U
    assert (swapped_B - own_B).min() > 1.0
    drawn = {
        animal: generate_sentences(model, 40, vectors=[[float(animal == "cat"), float(animal == "dog")]])
        for animal in ("cat", "dog")
    }
    for animal, made in drawn.items():
        assert sum(animal in one.text for one in made) >= 36
