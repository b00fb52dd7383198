"""The results of each remedy against collapse on the Penn Treebank: a table of `choosing.md`."""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.markdown import MI, active_units, information, shown, table


class Remedy(NamedTuple):
    """A line of the table; `row` is its row of `ptb.json`, empty where that file has none."""

    row: str
    name: str
    setting: str
    note: str


REMEDIES = (
    Remedy("vae", "none", "", "the full KL from the first step on, the encoder's last state"),
    Remedy("vae_max_pool", "pooled states", '`train.model.encoder.pooling = "max"`', "no loss of likelihood"),
    Remedy(
        "vae_linear",
        "linear annealing",
        '`kl_weight = { kind = "linear", end = 0.35 }`',
        "the KL weight rises slowly from zero (Bowman et al. 2016)",
    ),
    Remedy(
        "vae_cyclical",
        "cyclical annealing",
        '`kl_weight = { kind = "cyclical", end = 0.6 }`',
        "several chances for z to come into use (Fu et al. 2019)",
    ),
    Remedy(
        "vae_word_dropout",
        "word dropout",
        "`train.model.decoder.word_dropout = 0.4`",
        "here with linear annealing: a decoder that does not see every word needs z (Bowman et al. 2016)",
    ),
    Remedy(
        "vae_inputless",
        "inputless decoder",
        "`train.model.decoder.word_dropout = 1.0`",
        "here with linear annealing: z is the decoder's only input",
    ),
    Remedy(
        "vae_free_bits",
        "free bits",
        '`free_bits = { kind = "batch_mean", nats = 6.0 }`',
        'here with `pooling = "max"` and `kl_weight = { kind = "linear", start = 0.1, end = 0.4 }`',
    ),
    Remedy(
        "vae_pretrain_free_bits",
        "autoencoder, then a fresh decoder and free bits",
        '`train.fresh_decoder = 4` with `kl_weight = { kind = "linear", start = 4, end = 7, unit = "epochs" }`',
        "the encoder keeps its weights, the decoder is re-initialized (Li et al. 2019)",
    ),
    Remedy(
        "vae_aggressive",
        "aggressive encoder updates",
        '`train.encoder_updates = { kind = "aggressive" }`',
        "several updates of the encoder for each of the decoder, and a step costs as many times more (He et al. 2019)",
    ),
    Remedy(
        "vae_batch_norm",
        "batch-normalized mean",
        '`posterior = { kind = "gaussian", batch_norm = { scale = 0.6 } }`',
        "the KL is at least D * scale^2 / 2 nats by construction (Zhu et al. 2020)",
    ),
    Remedy(
        "vae_semi_amortized",
        "refined posteriors",
        '`posterior = { kind = "semi_amortized" }`',
        "here started from the row of free bits: gradient steps for every sentence, each a forward and a backward pass "
        "of the decoder (Kim et al. 2018)",
    ),
    Remedy(
        "",
        "committed rate",
        '`posterior = { kind = "gaussian", committed_rate = 3.0 }`',
        "the KL has a floor; a KL need not be information, so look at `mi` (Razavi et al. 2019)",
    ),
    Remedy(
        "",
        "fixed rate",
        '`posterior = { kind = "von_mises_fisher" }`, `prior = { kind = "hyperspherical_uniform" }`',
        "the concentration, and with it the KL, is constant; only the direction is learned (see the families below)",
    ),
    Remedy(
        "",
        "bag of words",
        '`train.regularizers = [{ kind = "bag_of_words", weight = 1.0 }]`',
        "a second loss: z alone predicts which words occur (Zhao et al. 2017)",
    ),
)


def remedies_block(contents: dict[str, dict[str, Any]]) -> str:
    """Rows of the budget `45min`; a cell is empty where nothing was measured."""
    measured = {row["name"]: row for row in contents.get("ptb", {"rows": []})["rows"] if row["budget"] == "45min"}
    baseline = measured.get("lm")

    def cells(remedy: Remedy) -> list[str]:
        row = measured.get(remedy.row, {})
        beyond = f"{row['iw_nll'] - baseline['iw_nll']:+.2f}" if row and baseline else ""
        return [
            remedy.name,
            remedy.setting,
            beyond,
            shown(row, "kl"),
            information(row),
            active_units(row),
            shown(row, "bleu", "{:.1f}"),
            remedy.note,
        ]

    header = ["remedy", "setting", "NLL beyond the language model's", "KL", MI, "active units", "BLEU", "note"]
    return "\n".join(table(header, [cells(remedy) for remedy in REMEDIES]))
