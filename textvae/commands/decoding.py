"""The options that say how sentences are decoded, for every command that decodes some."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from textvae.commands.options import parse_options
from textvae.errors import ConfigError

if TYPE_CHECKING:
    from textvae.generation import Decoding


_RENAMED = {"width": "--beam"}
"""The options that are not called as the setting they are for."""


@dataclass(frozen=True)
class DecodingOptions:
    """The kind of decoding, and the settings of every kind under their own names.

    They are declared here, and not made from `textvae.generation.DecodingConfig`, because the help must not import
    torch. Which kind a setting belongs to is read from there; a test holds that both have the same settings.
    """

    decoding: Annotated[str | None, typer.Option("--decoding", metavar="KIND", help="greedy, sample or beam.")] = (
        "greedy"
    )
    temperature: Annotated[float | None, typer.Option(help="Of --decoding sample.")] = None
    top_k: Annotated[int | None, typer.Option(help="Of --decoding sample: draw among the K likeliest words.")] = None
    top_p: Annotated[float | None, typer.Option(help="Of --decoding sample: among the likeliest that sum to P.")] = None
    width: Annotated[int | None, typer.Option(_RENAMED["width"], help="Of --decoding beam: hypotheses kept.")] = None
    length_penalty: Annotated[float | None, typer.Option(help="Of --decoding beam: above 0 favors length.")] = None

    def config(self, otherwise: str = "greedy") -> Decoding:
        """The settings of the decoding that was asked for.

        Args:
            otherwise: the kind when none was named.

        Raises:
            ConfigError: there is no such kind, an option belongs to another one, or its value is wrong.
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
                raise ConfigError(f"{named[name]} has no part in --decoding {kind}; use --decoding {home}.")
        return parse_options(DecodingConfig, {"kind": kind, **given}, named)


def settings_by_kind() -> dict[str, set[str]]:
    """The kinds of decoding, and the settings that are a kind's own and not every kind's."""
    from textvae.generation import Decoding, DecodingConfig

    (union, *_) = get_args(DecodingConfig)
    return {
        config.model_fields["kind"].default: config.model_fields.keys() - Decoding.model_fields.keys()
        for config in get_args(union)
    }


def option_names() -> dict[str, str]:
    """The option of each setting, such as `--beam` of `width`."""
    names = [field.name for field in fields(DecodingOptions) if field.name != "decoding"]
    return {name: _RENAMED.get(name, f"--{name.replace('_', '-')}") for name in names}
