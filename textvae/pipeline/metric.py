"""A number of a stage: its name, unit and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """Describes a number that a stage returns, for the report's table and `docs/units.md`.

    Attributes:
        name: in the stage's part of report.json. A `#` in it stands for an integer, and the table has a row for each
            value; `#` in the unit is replaced by the same value.
        title: of its row.
        unit: of the number, and of its standard error `NAME_se` where the stage returns one.
        meaning: in plain words, for the table.
        digits: after the decimal point.
        note: added to the unit: a format pattern over the stage's results, such as ``IW-{iw_samples}``. It is left out
            where one of these is absent or 0.
        definition: the exact definition, for `docs/units.md`; the meaning when empty.
        cost: whether it is a cost (time, memory) instead of a finding. Costs are the last rows of the table.
        shown: whether it is in the report's table; it is in `docs/units.md` in any case.
        headline: a sentence with this number for the end of a run: a format pattern over the stage's results, such as
            ``{speed_9:.0f} words per second.``. Empty for most: a run ends with the few numbers that matter.
    """

    name: str
    title: str
    unit: str
    meaning: str
    digits: int = 2
    note: str = ""
    definition: str = ""
    cost: bool = False
    shown: bool = True
    headline: str = ""

    def told(self, results: Mapping[str, Any]) -> str | None:
        """Its headline; None where it has none, or where a number in it was not measured.

        >>> kl = Metric("kl", "KL", "nats", "of codes", headline="KL {kl:.1f} nats over {n:,} sentences.")
        >>> kl.told({"kl": 2.04, "n": 3000}), kl.told({"kl": 2.04})
        ('KL 2.0 nats over 3,000 sentences.', None)
        """
        names = {field for _, field, _, _ in Formatter().parse(self.headline) if field}
        measured = all(isinstance(results.get(name), int | float) for name in names)
        return self.headline.format(**results) if self.headline and measured else None

    def rows(self, stage: str, results: Mapping[str, Any]) -> list[dict[str, str]]:
        """Its rows in the report's table: none where it was not measured, several where the name has a `#`.

        Args:
            stage: name of the stage.
            results: all numbers of that stage.

        Returns:
            for each row `key` (``stage.name``), `title`, `value`, `unit` and `meaning`.

        >>> speed = Metric("speed_#", "Speed", "words per second", "at # words a line", note="over {words:,} words")
        >>> [(row["key"], row["value"], row["unit"]) for row in speed.rows("read", {"speed_9": 7.0, "words": 8000})]
        [('read.speed_9', '7.00', 'words per second, over 8,000 words')]
        """
        if not self.shown:
            return []
        rows = []
        for name, number in self.names_in(results):
            value, error = results[name], results.get(f"{name}_se")
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            text = f"{value:,.{self.digits}f}"
            if isinstance(error, int | float):
                text += f" ± {error:.{self.digits}f}"
            unit = self.unit.replace("#", number)
            if self.note and all(results.get(field) for _, field, _, _ in Formatter().parse(self.note) if field):
                unit += f", {self.note.format(**results)}"
            row = {"key": f"{stage}.{name}", "title": self.title, "value": text, "unit": unit, "meaning": self.meaning}
            rows.append(row)
        return rows

    def names_in(self, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The names in `results` that match this metric, each with its value of `#`, the lowest first."""
        before, wild, _ = self.name.partition("#")
        if not wild:
            return [(self.name, "")] if self.name in results else []
        numbers = [name.removeprefix(before) for name in results if name.startswith(before)]
        return [(before + number, number) for number in sorted(filter(str.isdigit, numbers), key=int)]
