"""What a command is: the function that reads its options, an example, and whether it prints a result."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_type_hints


@dataclass(frozen=True)
class Command:
    """A command of `textvae`. Its name is that of its file.

    Attributes:
        function: called with what was typed. Its parameters are the command's arguments and options, its docstring is
            the command's help. A parameter annotated with a dataclass stands for the options that are its fields.
        example: what may be typed after the command's name, as a shell would read it. RUN, RECIPE and FILE stand for a
            finished run, a recipe and a file of texts. The command's help ends with it, and the tests run it.
        prints_if: the options that make the command print a result to standard output; None where it always does.
    """

    function: Callable[..., None]
    example: str
    prints_if: tuple[str, ...] | None = None

    def prints(self, arguments: Sequence[str]) -> bool:
        """Whether the command prints a result to standard output when it is given these arguments."""
        return self.prints_if is None or any(option in arguments for option in self.prints_if)


def with_plain_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function as typer can read it: the fields of a dataclass take the place of the parameter it annotates.

    Args:
        function: of a command. The fields of its dataclasses are annotated as parameters are.

    Returns:
        a function of plain options, which makes the dataclasses and calls the given one.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     width: int = 2
    ...     height: int = 3
    >>> def area(scale: int, size: Size) -> None:
    ...     print(scale * size.width * size.height)
    >>> plain = with_plain_options(area)
    >>> list(inspect.signature(plain).parameters)
    ['scale', 'width', 'height']
    >>> plain(scale=2, width=5, height=3)
    30
    """
    signature = inspect.signature(function, eval_str=True)
    parameters: list[inspect.Parameter] = []
    bundles: dict[str, type] = {}
    for parameter in signature.parameters.values():
        # Keywords may follow one another with and without a default.
        if is_dataclass(parameter.annotation) and isinstance(parameter.annotation, type):
            bundles[parameter.name] = parameter.annotation
            parameters += _options_of(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def plain(**given: Any) -> None:
        for name, bundle in bundles.items():
            given[name] = bundle(**{field.name: given.pop(field.name) for field in fields(bundle)})
        function(**given)

    plain.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    plain.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return plain


def _options_of(bundle: type) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters."""
    hints = get_type_hints(bundle, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(bundle)
    ]
