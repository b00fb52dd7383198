"""The results of the families of posteriors, priors and objectives: `families.md`, and a table of `choosing.md`."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import MI, active_units, collapsed, information, shown, source, table, with_error

FAMILIES = {
    "language_model": "the same decoder without z: the baseline of all other rows",
    "gaussian": "the default; a closed-form KL by dimension, and every remedy against collapse works with it",
    "zero_mean": "a diagnosis: can z be used through its variances alone? No unit is active, by construction",
    "von_mises_fisher": "codes on a sphere, with a KL fixed by design; needs the prior `hyperspherical_uniform`",
    "power_spherical": "as von Mises-Fisher, with a sampler without rejection",
    "inverse_autoregressive": "correlated posteriors; no closed-form KL, and mutual information is slow to measure",
    "mixture": "posteriors with several modes; its recipe decodes a sample of every component in each step",
    "semi_amortized": "a smaller gap between bound and likelihood; starts from a trained run",
    "hamiltonian": "samples moved by the model's gradients: a bound, but no KL; starts from a trained run",
    "stein": "samples without a density: no bound, a likelihood by annealing only; starts from a trained run",
    "hierarchical": "several levels of codes, coarse to fine, each with its own KL",
    "mixture_prior": "an aggregated posterior that no single Gaussian fits",
    "vamp_prior": "the same, as a mixture of posteriors of learned inputs",
    "flow_prior": "the same, with the most flexible density",
    "conditional_prior": "a corpus with labels: sentences are drawn given a label",
    "nearest_neighbors": "a KL given a similar sentence's code; new sentences by walking from sentence to sentence",
    "iwae": "trains on a tighter bound; k decoder passes a step; starts from a trained run",
    "renyi": "between the ELBO and the importance-weighted bound; starts from a trained run",
    "info_vae": "much information in z, and an aggregated posterior close to the prior",
    "unregularized": "an autoencoder, for reconstruction; new sentences by a Markov chain (`textvae generate --start`)",
}
"""Family -> what it is for: the rows of the table, in its order."""

_DECODERS, UNIGRAM = ("lstm", "transformer"), "unigram"


def families_page(contents: dict[str, dict[str, Any]]) -> str:
    content, steps = contents["families"], _steps(contents)
    lines = [
        "# Families",
        "",
        *source(content, "families"),
        "Every posterior, prior and objective under one budget: as many epochs as fit into about 15 minutes of a core",
        "with the LSTM (at most 30; the cost tables have the actual times), or fewer if validation stops improving.",
        "All are trained on the first 20 000 sentences of `yelp_short` with sizes 128/128/16 and one seed, and",
        "measured on 500 test sentences, in nats per sentence. The recipe of a row is `pipelines/family_ROW.toml`,",
        "which differs from the row `gaussian` in one part. What each family is for is in [choosing.md](choosing.md).",
        "",
        "The standard error of an NLL is large because sentences differ more than families do. Compare families by the",
        "next column, the mean difference from the row `gaussian` over the same sentences, with its own standard",
        "error. The annealed bound (AIS) is measured on 50 sentences; `IW minus AIS` is how far the",
        "importance-weighted bound is above it on the same 50. The sandwich is a lower and an upper bound on 50",
        "sentences that the model generated: the true NLL lies between them, in expectation.",
        "",
    ]
    for decoder in (UNIGRAM, *_DECODERS):
        rows = [row for row in content["rows"] if row["decoder"] == decoder]
        if not rows:
            continue
        if decoder == UNIGRAM:
            (row,) = rows
            lines += [
                f"A unigram model has an NLL of {row['iw_nll']:.2f} nats on these sentences "
                f"(perplexity {row['ppl']:.1f} over {row['tokens']} tokens).",
                "",
            ]
            continue
        lines += [f"## Decoder `{decoder}`", ""]
        lines += table(
            [
                *("family", "IW NLL", "beyond `gaussian`", "ELBO NLL", "KL", MI, "active units"),
                *("permuted z costs", "collapsed", "AIS NLL", "IW minus AIS", "sandwich", "its gap"),
            ],
            [_family_cells(row) for row in rows],
        )
        lines += ["", "Cost of training:", ""]
        lines += table(
            [
                *("family", "starts from", "parameters", "a step, times that of `gaussian`"),
                *("training, minutes of a core", "epochs", "seconds of a core per 1000 sentences", "commit", "on"),
            ],
            [
                [
                    f"`{row['name']}`",
                    row.get("starts_from", ""),
                    f"{row['params']:,}",
                    _step_cost(steps.get((row["name"], decoder), {})),
                    f"{row['train_cpu_seconds'] / 60:.1f}",
                    f"{row['epochs']:g}",
                    f"{row['seconds_per_1000']:.2f}",
                    row["commit"] + (f", evaluated at {row['evaluated_at']}" if "evaluated_at" in row else ""),
                    row["made_on"],
                ]
                for row in rows
            ],
        )
        lines += [""]
    if steps:
        lines += [
            "The cost of a step was measured side by side on a quiet machine: the median of a few rounds, and the",
            "least and the most in parentheses. Seconds per 1000 sentences are those of the training runs, which",
            "shared the machine with other work: they differ by half for the same computation.",
            "",
            *source(contents["family_steps"], "family_steps"),
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _step_cost(row: dict[str, Any]) -> str:
    """The median over rounds, and the least and the most."""
    return f"{row['times_gaussian']:.2f} ({row['least']:.2f} to {row['most']:.2f})" if row else ""


def _steps(contents: dict[str, dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of what a step costs, by family and decoder."""
    return {(row["name"], row["decoder"]): row for row in contents.get("family_steps", {"rows": []})["rows"]}


def _family_cells(row: dict[str, Any]) -> list[str]:
    sandwich = ""
    if "simulated_nll_lower" in row:
        sandwich = f"{row['simulated_nll_lower']:.2f} to {row['simulated_nll_upper']:.2f}"
    nll = with_error(row, "iw_nll")
    return [
        f"`{row['name']}`",
        f"{row['iw_nll']:.2f} (exact)" if row.get("iw_nll_se") == 0 else nll,
        with_error(row, "beyond_gaussian", "{:+.2f}"),
        shown(row, "elbo_nll"),
        shown(row, "kl"),
        information(row),
        active_units(row),
        shown(row, "permuted_rise"),
        collapsed(row),
        with_error(row, "ais_nll"),
        with_error(row, "ais_gain", "{:+.2f}"),
        sandwich,
        with_error(row, "simulated_gap"),
    ]


_LOOSE = 1.0
"""Nats by which annealing must be below importance weighting for its likelihood to stand beside."""


def _likelihood(row: dict[str, Any], gaussian: dict[str, Any]) -> str:
    """With the difference by sentence from the row `gaussian`, where there is one, and by annealing where it is needed.

    That is where there are no weights, or where they do not find the likelihood.
    """
    weighted = shown(row, "iw_nll")
    if "beyond_gaussian" in row:
        weighted += f" ({with_error(row, 'beyond_gaussian', '{:+.2f}')})"
    annealed = _by_annealing(row, gaussian) if "iw_nll" not in row or row.get("ais_gain", 0.0) > _LOOSE else ""
    return "; ".join(text for text in (weighted, annealed) if text)


def _by_annealing(row: dict[str, Any], gaussian: dict[str, Any]) -> str:
    """A likelihood of the few sentences that were annealed, beside the Gaussian row's of the same."""
    if "ais_nll" not in row:
        return ""
    beside = f"; `gaussian` {gaussian['ais_nll']:.2f}" if "ais_nll" in gaussian else ""
    return f"{row['ais_nll']:.2f} (AIS{beside})"


def families_block(contents: dict[str, dict[str, Any]]) -> str:
    """The table of `choosing.md`: what a family is for, what it costs and what it reached."""
    rows = {(row["name"], row["decoder"]): row for row in contents.get("families", {"rows": []})["rows"]}
    steps = _steps(contents)

    def cells(family: str, what: str) -> list[str]:
        found = [rows.get((family, decoder), {}) for decoder in _DECODERS]
        lstm = found[0]
        likelihoods = [
            _likelihood(row, rows.get(("gaussian", decoder), {})) for row, decoder in zip(found, _DECODERS, strict=True)
        ]
        return [
            f"`{family}`",
            what,
            *(shown(steps.get((family, decoder), {}), "times_gaussian", "{:.1f}") for decoder in _DECODERS),
            *likelihoods,
            shown(lstm, "kl"),
            information(lstm),
        ]

    listed = [cells(family, what) for family, what in FAMILIES.items()]
    costs, likelihoods = ([f"{what}, {name}" for name in _DECODERS] for what in ("a step", "NLL"))
    header = ["family", "what it is for", *costs, *likelihoods, "KL", MI]
    return "\n".join(table(header, listed))
