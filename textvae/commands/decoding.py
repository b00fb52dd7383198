"""The options of decoding, for every command that decodes sentences."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from textvae.commands.options import parse_options
from textvae.errors import ConfigError

if TYPE_CHECKING:
    from textvae.generation import Decoding


_RENAMED = {"width": "--beam"}
"""Settings whose option has another name."""


@dataclass(frozen=True)
class DecodingOptions:
    """The kind of decoding, and the settings of every kind.

    The options are declared here, and not generated from `textvae.generation.DecodingConfig`, because the help must not
    import torch. The kind of each setting is read from there; a test checks that both have the same settings.
    """

    decoding: Annotated[str | None, typer.Option("--decoding", metavar="KIND", help="greedy, sample or beam.")] = (
        "greedy"
    )
    temperature: Annotated[
        float | None, typer.Option(help="With --decoding sample: below 1 sharpens, above 1 flattens.")
    ] = None
    top_k: Annotated[int | None, typer.Option(help="With --decoding sample: only the K likeliest words.")] = None
    top_p: Annotated[
        float | None, typer.Option(help="With --decoding sample: only the likeliest words that sum to P.")
    ] = None
    width: Annotated[int | None, typer.Option(_RENAMED["width"], help="With --decoding beam: hypotheses kept.")] = None
    length_penalty: Annotated[
        float | None, typer.Option(help="With --decoding beam: above 0 favors longer sentences.")
    ] = None

    def config(self, otherwise: str = "greedy") -> Decoding:
        """The settings of the chosen decoding.

        Args:
            otherwise: the kind when --decoding is absent.

        Raises:
            ConfigError: there is no such kind, an option belongs to another kind, or its value is wrong.
        """
        from textvae.generation import DecodingConfig

        kind = otherwise if self.decoding is None else self.decoding
        belonging, named = settings_by_kind(), option_names()
        if kind not in belonging:
            *others, last = belonging
            raise ConfigError(f"--decoding got '{kind}', expected {', '.join(others)} or {last}.")
        given = {name: value for name in named if (value := getattr(self, name)) is not None}
        for name in given:
            if name not in belonging[kind]:
                home = next(other for other, names in belonging.items() if name in names)
                raise ConfigError(f"{named[name]} has no effect with --decoding {kind}; use --decoding {home}.")
        return parse_options(DecodingConfig, {"kind": kind, **given}, named)


def settings_by_kind() -> dict[str, set[str]]:
    """The kinds of decoding, and for each the settings that not every kind has."""
    from textvae.config import kinds_of
    from textvae.generation import Decoding, DecodingConfig

    return {
        kind: config.model_fields.keys() - Decoding.model_fields.keys()
        for kind, config in kinds_of(DecodingConfig, Decoding).items()
    }


def option_names() -> dict[str, str]:
    """The option of each setting, such as `--beam` of `width`."""
    names = [field.name for field in fields(DecodingOptions) if field.name != "decoding"]
    return {name: _RENAMED.get(name, f"--{name.replace('_', '-')}") for name in names}
