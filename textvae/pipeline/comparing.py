"""Compares finished runs: their numbers, the settings that differ, paired differences, curves and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.disk import read_json, shown_path
from textvae.errors import ConfigError, DataError, ModelError
from textvae.pipeline import by_sentence
from textvae.pipeline.manifest import as_json
from textvae.pipeline.report.metrics import metric_rows
from textvae.pipeline.run_folder import REPORT_FILE
from textvae.pipeline.stages import STAGES

if TYPE_CHECKING:
    from textvae.evaluation.paired import PairedDifference, SentenceNLL


@dataclass(frozen=True)
class FinishedRun:
    """A run that is compared.

    Attributes:
        folder: of the run.
        report: its report.json.
        details: what its stages show besides the numbers, by stage.
    """

    folder: Path
    report: dict[str, Any]
    details: dict[str, dict[str, Any]]


def read_run(folder: str | Path) -> FinishedRun:
    """A finished run.

    Raises:
        ModelError: there is none.
    """
    folder = Path(folder)
    try:
        report = read_json(folder / REPORT_FILE)
    except (OSError, ValueError):
        report = None
    if not isinstance(report, dict) or not isinstance(report.get("run"), dict):
        raise ModelError(
            f"{shown_path(folder)} has no {REPORT_FILE} that can be read, so it is no finished run; give the "
            "folders of runs that `textvae run` has finished."
        )
    details = {stage.name: stage.details(folder / stage.name) for stage in STAGES if stage.name in report}
    return FinishedRun(folder, report, details)


def compare(folders: Sequence[str | Path]) -> dict[str, Any]:
    """Everything that `textvae compare` says, as JSON values.

    Args:
        folders: of finished runs; the others are compared with the first one.

    Returns:
        `runs`: facts of each; `numbers`: for each number that a run has `key`, `title`, `unit`, `meaning`, `values` and
        `errors`, a value for each run, None where it was not measured; `shown`: the same as texts; `settings`: those
        that differ, by their dotted names, a value for each run; `paired`: for each run but the first one the
        `difference` of its NLL from the first one's, over the same sentences, with its standard error
        `difference_se`, or the `reason` why there is none; `texts` and `series`: lists of texts and curves by title,
        one for each run.

    Raises:
        ConfigError: fewer than two runs, or one given twice.
        ModelError: one is no finished run.
    """
    if len(folders) < 2:
        raise ConfigError(f"compare got {len(folders)} run, expected at least two; give the folders of finished runs.")
    places = [Path(folder).resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"compare got {folder} twice, expected different runs; give each once.")
    runs = [read_run(folder) for folder in folders]
    return as_json(
        {
            "runs": [_facts(run) for run in runs],
            "numbers": _numbers(runs),
            "settings": _settings(runs),
            "paired": [_paired(run, runs[0]) for run in runs[1:]],
            "texts": _beside([_by_title(run, "texts") for run in runs]),
            "series": _beside([_by_title(run, "series") for run in runs]),
        }
    )


def _facts(run: FinishedRun) -> dict[str, Any]:
    facts = run.report["run"]
    kept = ("recipe", "description", "corpus", "seed", "textvae", "hardware", "date", "seconds")
    verdict = run.report.get("evaluate", {}).get("verdict")
    return {"folder": str(run.folder), **{name: facts.get(name) for name in kept}, "verdict": verdict}


def _numbers(runs: Sequence[FinishedRun]) -> list[dict[str, Any]]:
    rows = [{row["key"]: row for row in metric_rows(run.report)} for run in runs]
    # The order of the report, with what only later runs have after what comes before it there.
    keys: list[str] = []
    for found in rows:
        at = 0
        for key in found:
            if key in keys:
                at = keys.index(key) + 1
            else:
                keys.insert(at, key)
                at += 1
    numbers = []
    for key in keys:
        some = next(found[key] for found in rows if key in found)
        units = [found[key]["unit"] if key in found else None for found in rows]
        same = len({unit for unit in units if unit is not None}) == 1
        stage, _, name = key.partition(".")
        numbers.append(
            {
                "key": key,
                "title": some["title"],
                "meaning": some["meaning"],
                "unit": some["unit"] if same else some["unit"].partition(",")[0],
                "shown": [_shown(found.get(key), same) for found in rows],
                "values": [run.report.get(stage, {}).get(name) for run in runs],
                "errors": [run.report.get(stage, {}).get(f"{name}_se") for run in runs],
            }
        )
    return numbers


def _shown(row: Mapping[str, str] | None, same_unit: bool) -> str:
    """A number with its error; with what it is conditional on, where that differs between the runs."""
    if row is None:
        return ""
    _, _, note = row["unit"].partition(", ")
    return f"{row['value']} ({note})" if note and not same_unit else row["value"]


def _settings(runs: Sequence[FinishedRun]) -> dict[str, list[Any]]:
    """The settings that differ between the runs, by their dotted names; None where a run has none of that name."""
    flat = [_flat(run.report["run"].get("settings") or {}) for run in runs]
    names = dict.fromkeys(name for one in flat for name in one)
    differing = {}
    for name in names:
        values = [one.get(name) for one in flat]
        if any(value != values[0] for value in values) and name != "name":
            differing[name] = values
    return differing


def _flat(table: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{inside}{name}.")
        else:
            found[inside + name] = value
    return found


def _paired(run: FinishedRun, first: FinishedRun) -> dict[str, Any]:
    named = {"run": str(run.folder), "minus": str(first.folder)}
    try:
        return {**named, **asdict(paired_runs(run, first))}
    except (DataError, ModelError) as error:
        return {**named, "reason": str(error)}


def paired_runs(run: FinishedRun, other: FinishedRun) -> PairedDifference:
    """The difference of the NLLs of two runs over the same test sentences, as they were evaluated.

    Raises:
        ModelError: a run has no NLLs by sentence.
        DataError: other sentences, another vocabulary, or bounds of other numbers of samples.
    """
    from textvae.evaluation.paired import paired_difference

    mine, theirs = sentence_nll(run), sentence_nll(other)
    require_same_tokens(run, other, mine)
    return paired_difference(mine, theirs)


def sentence_nll(run: FinishedRun) -> SentenceNLL:
    """The NLL of each test sentence, as the run was evaluated.

    Raises:
        ModelError: it has none.
    """
    return by_sentence.sentence_nll(run.folder / "evaluate", run.report.get("evaluate", {}))


def require_same_tokens(run: FinishedRun, other: FinishedRun, measured: SentenceNLL) -> None:
    """Refuse two runs whose test sentences have other tokens.

    Raises:
        DataError: other sentences, or another vocabulary.
    """
    import numpy as np

    from textvae.text.tokenized import TokenizedCorpus

    splits = [one.report["evaluate"].get("split", "test") for one in (run, other)]
    corpora = [
        TokenizedCorpus(one.folder / "tokenize" / f"{split}.arrow")
        for one, split in zip((run, other), splits, strict=True)
    ]
    same = len(corpora[0]) == len(corpora[1])
    if not same or any(not np.array_equal(corpora[0].ids(int(i)), corpora[1].ids(int(i))) for i in measured.sentences):
        raise DataError(
            f"{shown_path(run.folder)} and {shown_path(other.folder)} have different test sentences or vocabularies, "
            "so their likelihoods are not compared by sentence; give runs of one corpus and one [tokenize] table."
        )


def _by_title(run: FinishedRun, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in STAGES:
        details = run.details.get(stage.name, {})
        found |= stage.texts(details) if what == "texts" else stage.series(details)
    return found


def _beside(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each title what every run has under it; None where it has nothing. First what several runs have."""
    titles = dict.fromkeys(title for one in found for title in one)
    rows = [{"title": title, "of": [one.get(title) for one in found]} for title in titles]
    return sorted(rows, key=lambda row: sum(one is not None for one in row["of"]) < 2)
