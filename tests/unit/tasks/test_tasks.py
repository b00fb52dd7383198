"""The tasks over small models of every kind: what they return, refuse and repeat."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
import torch

from tests.components import scramble
from tests.oracles.oracle_model import OracleModel
from textvae.decoders import GRUDecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError, DataError, ModelError
from textvae.generation import BeamConfig, SamplingConfig
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextVAEConfig
from textvae.posteriors import PowerSphericalPosteriorConfig, VonMisesFisherPosteriorConfig, ZeroMeanPosteriorConfig
from textvae.priors import HypersphericalUniformPriorConfig
from textvae.tasks import generate_sentences, impute, impute_accuracy, interpolate, reconstruct
from textvae.tasks.interpolate import edit_distance, evenness, spherical
from textvae.text.tokenizers.word import WordConfig

TEXTS = [
    "I love you.",
    "I love the old dog.",
    "You do not love the cat.",
    "The dog sleeps on the mat.",
    "The cat and the dog do not sleep!",
    "Do you love me?",
] * 3
TOKENIZER = WordConfig(vocab_size=60).train(TEXTS)
DECODERS = {
    "lstm": LSTMDecoderConfig(embedding_dim=8, hidden_dim=10),
    "gru": GRUDecoderConfig(embedding_dim=8, hidden_dim=10, z_to="initial_state"),
    "transformer": TransformerDecoderConfig(model_dim=8, layers=1, heads=2),
}


def text_vae(decoder: str = "lstm", tokenizer=TOKENIZER, seed: int = 0, posterior=None):
    on_sphere = {} if posterior is None else {"posterior": posterior, "prior": HypersphericalUniformPriorConfig()}
    config = TextVAEConfig(
        latent_dim=4, encoder=LSTMEncoderConfig(embedding_dim=8, hidden_dim=10), decoder=DECODERS[decoder], **on_sphere
    )
    model = scramble(config.build(vocab_size=tokenizer.vocab_size, max_tokens=12), seed, 0.4).eval()
    model.tokenizer = tokenizer
    return model


def language_model(decoder: str = "lstm"):
    config = LanguageModelConfig(decoder=DECODERS[decoder])
    model = scramble(config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=12), 0, 0.4).eval()
    model.tokenizer = TOKENIZER
    return model


def semi_supervised():
    config = SemiSupervisedConfig(latent_dim=4, encoder=LSTMEncoderConfig(embedding_dim=8, hidden_dim=10))
    model = config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=12, label_names=("a", "b"))
    model.tokenizer = TOKENIZER
    return model


MODELS = [*(text_vae(name) for name in DECODERS), *(language_model(name) for name in DECODERS)]
IDS = [*(f"vae-{name}" for name in DECODERS), *(f"lm-{name}" for name in DECODERS)]


@pytest.mark.parametrize("model", MODELS, ids=IDS)
@pytest.mark.parametrize("decoding", [None, SamplingConfig(top_k=5), BeamConfig(width=3)], ids=str)
def test_generate_repeats_itself_and_leaves_the_random_state(model, decoding) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    made = generate_sentences(model, 9, decoding=decoding, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert made == generate_sentences(model, 9, decoding=decoding, seed=1)
    assert len(made) == 9 and all(math.isfinite(s.log_prob) and "<unk>" not in s.text for s in made)
    if decoding is not None and decoding.kind == "sample":
        assert made != generate_sentences(model, 9, decoding=decoding, seed=2)


def test_generate_nothing() -> None:
    assert generate_sentences(text_vae(), 0) == []
    with pytest.raises(ConfigError, match="at least 0"):
        generate_sentences(text_vae(), -1)


@pytest.mark.parametrize("decoder", DECODERS)
def test_reconstruct(decoder: str) -> None:
    model = text_vae(decoder)
    made = reconstruct(model, TEXTS[:4])
    assert [one.text for one in made] == TEXTS[:4]
    assert made == reconstruct(model, TEXTS[:4])
    drawn = [reconstruct(model, TEXTS[:4], sample=True, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    alone = reconstruct(model, [TEXTS[2]])[0]
    assert alone.reconstruction == made[2].reconstruction


def test_a_mean_that_is_the_same_for_all_is_said_to_be() -> None:
    config = TextVAEConfig(
        latent_dim=4,
        encoder=LSTMEncoderConfig(embedding_dim=8, hidden_dim=10),
        decoder=DECODERS["lstm"],
        posterior=ZeroMeanPosteriorConfig(),
    )
    model = scramble(config.build(vocab_size=TOKENIZER.vocab_size, max_tokens=12), 0, 0.4).eval()
    model.tokenizer = TOKENIZER
    with pytest.warns(UserWarning, match="same for every sentence"):
        one, other = reconstruct(model, TEXTS[:2])
    assert one.reconstruction == other.reconstruction
    with pytest.warns(UserWarning, match="same for every sentence"):
        interpolate(model, *TEXTS[:2], steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reconstruct(model, TEXTS[:2], sample=True)
        reconstruct(text_vae(), TEXTS[:2])


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_interpolate_begins_and_ends_at_the_reconstructions(kind) -> None:
    model = text_vae("transformer")
    path = interpolate(model, TEXTS[0], TEXTS[3], steps=5, kind=kind)
    ends = reconstruct(model, [TEXTS[0], TEXTS[3]])
    assert len(path.texts) == len(path.z) == 5 and len(path.edits) == 4
    assert (path.texts[0], path.texts[-1]) == tuple(end.reconstruction for end in ends)
    torch.testing.assert_close(torch.tensor([path.z[0], path.z[-1]]), model.encode([TEXTS[0], TEXTS[3]]))
    between = set(path.texts) - {TEXTS[0], TEXTS[3], path.texts[0], path.texts[-1]}
    assert path.new_sentences == len(between) and path.evenness == evenness(path.edits)
    given, made = map(model.tokenizer.encode_batch, ([TEXTS[0], TEXTS[3]], [path.texts[0], path.texts[-1]]))
    changed = [edit_distance(a, b) / max(len(a), len(b)) for a, b in zip(given, made, strict=True)]
    assert path.ends_changed == pytest.approx(sum(changed) / 2)
    same = interpolate(model, TEXTS[0], TEXTS[0], steps=3, kind=kind)
    assert same.edits == (0, 0) and same.evenness is None and same.new_sentences == 0


def test_a_path_of_one_jump_is_not_even() -> None:
    """Smoothness, the number before, gave a path of 8 equal sentences, then 2 others, a better mark than a real one."""
    jump, gradual = [0] * 7 + [9], [3, 2, 3, 2, 3, 2, 3, 3]
    assert evenness(jump) == 0.0 < 0.9 < evenness(gradual) < 1.0
    assert evenness([2] * 8) == 1.0
    for steps in (2, 3, 9):
        for largest in (0.4, 0.7, 1.0):
            s = max(largest, 1 / steps)
            rest = [(1 - s) / (steps - 1)] * (steps - 1)
            assert evenness([s, *rest]) == pytest.approx(1 - (s - 1 / steps) / (1 - 1 / steps), abs=1e-12)


@pytest.mark.parametrize("posterior", [VonMisesFisherPosteriorConfig, PowerSphericalPosteriorConfig])
def test_codes_on_the_sphere_stay_there_in_every_task(posterior) -> None:
    model = text_vae(posterior=posterior(concentration={"kind": "rate", "nats": 2.0}))
    path = interpolate(model, TEXTS[0], TEXTS[3], steps=5)
    assert path.kind == "spherical"
    torch.testing.assert_close(torch.tensor(path.z).norm(dim=1), torch.ones(5))
    torch.testing.assert_close(model.encode(TEXTS[:3]).norm(dim=1), torch.ones(3))
    ends = reconstruct(model, [TEXTS[0], TEXTS[3]])
    assert (path.texts[0], path.texts[-1]) == tuple(end.reconstruction for end in ends)
    with pytest.raises(ConfigError, match="sphere"):
        interpolate(model, TEXTS[0], TEXTS[3], kind="linear")
    assert len(generate_sentences(model, 5, decoding=SamplingConfig())) == 5
    answers = impute(model, "I ___ the dog.")[0].answers
    assert answers and 0.0 < sum(answer.probability for answer in answers) <= 1.0 + 1e-6


def test_the_spherical_path_turns_evenly_and_changes_its_norm_linearly() -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]).double(), torch.tensor([0.0, 0.0, 1.0]).double()
    at = torch.linspace(0, 1, 9).double()
    path = spherical(a, b, at)
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[-1], b)
    torch.testing.assert_close(path.norm(dim=1), 3 - 2 * at)
    direction = path / path.norm(dim=1, keepdim=True)
    turned = (direction[1:] * direction[:-1]).sum(1).acos()
    torch.testing.assert_close(turned, torch.full((8,), math.pi / 16).double())


def test_the_spherical_path_where_there_is_no_angle() -> None:
    at = torch.tensor([0.0, 0.5, 1.0])
    a = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(spherical(a, a, at), a.expand(3, 2))
    torch.testing.assert_close(spherical(a, 3 * a, at)[1], 2 * a)
    torch.testing.assert_close(spherical(torch.zeros(2), a, at)[1], a / 2)
    opposite = spherical(a, -a, at)
    torch.testing.assert_close(opposite[[0, 2]], torch.stack([a, -a]))
    torch.testing.assert_close(opposite.norm(dim=1), a.norm().expand(3))
    nearly = spherical(a, a + 1e-6, at)
    assert torch.isfinite(nearly).all()


def test_edit_distance() -> None:
    assert edit_distance([], [1, 2]) == 2
    assert edit_distance([1, 2, 3, 4], [2, 3, 5, 4]) == 2
    assert edit_distance([1, 2], [1, 2]) == 0


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_impute_fills_the_users_own_text(model) -> None:
    texts = ["I love ___.", "___ zebra sleeps on the ___* mat.", "Do ___ ___ me?"]
    made = impute(model, texts, samples=4, answers=3)
    assert [one.text for one in made] == texts
    for one in made:
        assert 1 <= len(one.answers) <= 3
        assert one.bound == ("iw-4" if model.latent_dim else "exact")
        assert sum(answer.probability for answer in one.answers) <= 1 + 1e-9
        shares = [answer.probability for answer in one.answers]
        assert shares == sorted(shares, reverse=True)
        for answer in one.answers:
            assert "___" not in answer.text and "<unk>" not in answer.text and all(answer.fillers)
    assert made[0].answers[0].text == f"I love {made[0].answers[0].fillers[0]}."
    assert "zebra" in made[1].answers[0].text
    assert made == impute(model, texts, samples=4, answers=3)
    # Alone or among others, the same completions are found (their ranking has noise of its own).
    everything = {"samples": 4, "answers": 10, "candidates": 10, "rounds": 1}
    alone, among = impute(model, texts[1], **everything)[0], impute(model, texts, **everything)[1]
    assert {answer.text for answer in alone.answers} == {answer.text for answer in among.answers}


def test_a_language_models_answer_is_the_exact_argmax() -> None:
    model = language_model("transformer")
    (made,) = impute(model, "The ___ sleeps.", width=60, candidates=60)
    template = TOKENIZER.encode("The cat sleeps.")
    words = np.flatnonzero(TOKENIZER.starts_word).tolist()
    tokens = torch.tensor([[1, *template, 2]] * len(words))
    tokens[:, 2] = torch.tensor(words)
    with torch.no_grad():
        exact = model.decoder.log_prob(tokens, torch.zeros(1, len(words), 0))[0].double()
    best = words[int(exact.argmax())]
    assert made.answers[0].fillers == (TOKENIZER.decode([best]),)
    assert made.answers[0].log_prob == pytest.approx(exact.max().item(), abs=1e-4)
    assert made.answers[0].probability == pytest.approx(exact.softmax(0).max().item(), abs=1e-4)


class _Parrot(OracleModel):
    """A language model that knows one sentence by heart: each word of it follows the one before for certain."""

    device = torch.device("cpu")

    def __init__(self, text: str) -> None:
        super().__init__(TOKENIZER.vocab_size, max_tokens=12)
        self.tokenizer, self.decoder = TOKENIZER, _ParrotDecoder(text)


class _ParrotDecoder(torch.nn.Module):
    latent_dim, num_labels, max_tokens = 0, 0, None

    def __init__(self, text: str) -> None:
        super().__init__()
        ids = [1, *TOKENIZER.encode(text), 2]
        table = torch.full((TOKENIZER.vocab_size, TOKENIZER.vocab_size), -20.0)
        table[:, :2] = -torch.inf
        for before, after in itertools.pairwise(ids):
            table[before, after] = 0.0
        self.table = table.log_softmax(-1)

    def init_state(self, z_ND, context=None):
        return None

    def step(self, token_N, state):
        return self.table[token_N], state

    def select(self, state, index_M):
        return state


def test_accuracy_of_a_model_that_knows_the_text() -> None:
    text = "You do not love the cat."
    made = impute_accuracy(_Parrot(text), [text] * 20, [*TEXTS, "the mat"], sentences=20, seed=3)
    assert made.accuracy == made.top5 == 1.0
    assert made.sentences == 20 and made.unknown_words == 0
    # The baseline's word is known by counting, and right where that very word was hidden.
    assert made.baseline_word == "the"
    hidden = [
        trial.truth
        for trial in impute_accuracy(_Parrot(text), [text] * 20, [*TEXTS, "the mat"], examples=20, seed=3).examples
    ]
    assert made.baseline_accuracy == hidden.count("the") / 20
    assert len(set(hidden)) > 3
    assert all(trial.correct and trial.text.count("___") == 1 for trial in made.examples)


def test_unknown_words_are_errors_and_are_counted() -> None:
    text = "You do not love zebras."
    made = impute_accuracy(_Parrot(text), [text] * 60, TEXTS, seed=3)
    assert 0 < made.unknown_words < 60
    assert made.accuracy == pytest.approx(1 - made.unknown_words / 60)
    without = impute_accuracy(_Parrot(text), [text] * 60, TEXTS, seed=3, exclude_unknown=True)
    assert without.unknown_words == 0 and without.accuracy == 1.0


@pytest.mark.parametrize("model", [MODELS[0], MODELS[5]], ids=["vae", "lm"])
def test_accuracy_is_the_same_again(model) -> None:
    made = impute_accuracy(model, TEXTS, TEXTS, sentences=10, samples=2, seed=0)
    assert made == impute_accuracy(model, TEXTS, TEXTS, sentences=10, samples=2, seed=0)
    assert made.sentences == 10 and 0 <= made.accuracy <= made.top5 <= 1


class _Corpus:
    """As much of a TokenizedCorpus as the measurement reads."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def ids(self, i: int) -> np.ndarray:
        return np.array(self.rows[i], dtype=np.int32)


def test_accuracy_reads_tokenized_corpora() -> None:
    corpus = _Corpus(TOKENIZER.encode_batch(TEXTS))
    from_corpus = impute_accuracy(MODELS[3], corpus, corpus, sentences=10)
    assert from_corpus == impute_accuracy(MODELS[3], TEXTS, TEXTS, sentences=10)


def test_bad_input_is_said() -> None:
    vae, lm = text_vae(), language_model()
    long = "the " * 13
    for wrong in ("", "   "):
        with pytest.raises(DataError, match="empty"):
            reconstruct(vae, [wrong])
        with pytest.raises(DataError, match="empty"):
            interpolate(vae, wrong, "I love you.")
        with pytest.raises(DataError, match="empty"):
            impute(vae, [wrong])
    for call in (
        lambda: reconstruct(vae, [long]),
        lambda: interpolate(vae, long, long),
        lambda: impute(vae, long + "___"),
    ):
        with pytest.raises(DataError, match="the model was trained for"):
            call()
    with pytest.raises(DataError, match="no blank"):
        impute(vae, "I love you.")
    with pytest.raises(DataError, match="inside a word"):
        impute(vae, "I lo___ you.")
    for call in (lambda: reconstruct(lm, TEXTS), lambda: interpolate(lm, *TEXTS[:2])):
        with pytest.raises(ModelError, match="latent"):
            call()
    labeled = semi_supervised()
    for call in (
        lambda: reconstruct(labeled, TEXTS),
        lambda: interpolate(labeled, *TEXTS[:2]),
        lambda: impute(labeled, "I ___ you."),
        lambda: impute_accuracy(labeled, TEXTS, TEXTS),
    ):
        with pytest.raises(ModelError, match="label"):
            call()
    with pytest.raises(ConfigError, match="steps"):
        interpolate(vae, *TEXTS[:2], steps=1)
    with pytest.raises(ConfigError, match="kind"):
        interpolate(vae, *TEXTS[:2], kind="cubic")
    with pytest.raises(ConfigError, match="rounds"):
        impute(vae, "I ___ you.", rounds=0)
    with pytest.raises(DataError, match="No test sentence"):
        impute_accuracy(vae, [""], TEXTS)
    vae.tokenizer = None
    with pytest.raises(ModelError, match="tokenizer"):
        impute(vae, "I ___ you.")
