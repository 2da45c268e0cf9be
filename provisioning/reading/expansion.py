"""``${VAR}``, ``${VAR:-default}`` and ``${VAR:?message}``, expanded after parsing.

After parsing, because a value that holds ``: `` or ``#`` would otherwise change the document
(POSIX shell, section 2.6.2, gives the forms their meaning). Only the braced forms count: a password such
as ``p@$$w0rd`` stays as it is. A key whose value expands to nothing counts as not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import expandvars

from provisioning.reading.problem import Path, Position, Problem, position_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSING = object()
"""Stands where a value could not be expanded, so that it is reported once and not twice."""


class Expanded(str):
    """A text that came out of the environment: unlike a literal it may become a number or a truth value."""

    __slots__ = ()


def expand_tree(
    tree: Any, env: Mapping[str, str], positions: Mapping[Path, Position]
) -> tuple[Any, list[Problem]]:
    """Expand every string of a tree; returns the new tree and what could not be expanded."""
    problems: list[Problem] = []

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            walked = {key: walk(item, (*path, key)) for key, item in value.items()}
            return {key: item for key, item in walked.items() if not _is_nothing(item)}
        if isinstance(value, list):
            return [walk(item, (*path, n)) for n, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            try:
                return _expand(value, env)
            except expandvars.ExpandvarsException as error:
                problems.append(_problem(error, path, position_of(path, positions)))
                return MISSING
        return value

    return walk(tree, ()), problems


def _expand(text: str, env: Mapping[str, str]) -> Expanded:
    return Expanded(
        expandvars.expand(text, nounset=True, escape_char="", surrounded_vars_only=True, environ=env)
    )


def _is_nothing(value: Any) -> bool:
    return isinstance(value, Expanded) and value == ""


def _problem(error: Exception, path: Path, position: Position | None) -> Problem:
    text = str(error.args[0] if error.args else error)
    name, _, detail = text.partition(":")
    if isinstance(error, expandvars.UnboundVariable):
        return Problem(
            path,
            f"the variable {name} is not set.",
            position,
            f"Set it in the environment or in .env.local, or write ${{{name}:-default}}.",
        )
    if isinstance(error, expandvars.ParameterNullOrNotSet):
        return Problem(
            path, f"{name.strip()}: {detail.strip()}.", position, f"Set {name.strip()} in the environment."
        )
    return Problem(path, f"the ${{…}} is not well formed: {text}.", position)
