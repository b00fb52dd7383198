"""The base of commands: a function with the options, an example, and whether the command prints a result."""

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
        function: called with the arguments of the command line. Its parameters are the command's arguments and
            options, its docstring is the command's help. A parameter annotated with a dataclass stands for one option
            for each field.
        example: arguments after the command's name, as in a shell. RUN, RUN_2, RECIPE and FILE stand for a finished
            run, another one, a recipe and a file of texts. It is the end of the command's help, and the tests run it.
        answers_each_line: whether it takes any number of sentences and answers each by itself: its answers are in the
            order of the sentences, and none of them is lost because of another (`textvae.commands.lines`).
        prints_if: the command prints a result to standard output only with one of these options; None: always.
    """

    function: Callable[..., None]
    example: str
    answers_each_line: bool = False
    prints_if: tuple[str, ...] | None = None

    def prints(self, arguments: Sequence[str]) -> bool:
        """Whether the command prints a result to standard output with these arguments."""
        return self.prints_if is None or any(option in arguments for option in self.prints_if)


def with_plain_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function with a signature that typer can read: a dataclass parameter is replaced by the dataclass' fields.

    Args:
        function: of a command. The fields of its dataclasses have the same annotations as parameters.

    Returns:
        a function of plain options, which builds the dataclasses and calls the given function.

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
        # Keyword-only, because parameters without a default may follow parameters with one.
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
