"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from textvae.arguments import LARGEST, shown
from textvae.errors import ConfigError

MANY = 100_000
"""Limit of options that decide how much is held in memory at once."""

Run = Annotated[str, typer.Argument(metavar="RUN", help="A finished run (runs/NAME) or a model folder.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST, help="Seed of everything random.")]


def parse_options(expected: Any, given: Mapping[str, Any], options: Mapping[str, str]) -> Any:
    """Checked settings from the options of the command line.

    Args:
        expected: the type of the settings: a Config, or a union of them.
        given: the settings by name.
        options: the option of each setting that has one; errors name the option.

    Returns:
        the settings, of the expected type.

    Raises:
        ConfigError: a setting is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    from textvae.config import first_problem, parse

    try:
        return TypeAdapter(expected).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        option = options.get(str(first["loc"][-1])) if first["loc"] else None
        if option is None:
            # The wrong setting came from the run's recipe, or the error is about several settings.
            return parse(expected, given, "the options")
        problem = first_problem(error)
        raise ConfigError(f"{option} is {shown(first['input'])}; {problem[0].lower()}{problem[1:]}.") from None
