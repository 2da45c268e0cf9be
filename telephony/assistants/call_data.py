"""What a call brings along, put into an assistant's texts: ``{data.order}``. Pure.

The values come from whoever asks for a call, so they are words and nothing else: without braces, which would
be placeholders again, without line ends, which would be instructions of their own, and of bounded length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from telephony.assistants.schema import Assistant

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 200
"""Characters of one value."""

_PLACE: Final = re.compile(r"\{data\.([a-z][a-z0-9_]*)\}")
_BRACES: Final = str.maketrans("", "", "{}")
_FIXED: Final = frozenset(
    {"name", "language", "http_tools", "speech", "turns", "endpointing", "data", "tools"}
)
"""Keys in which nothing is filled in: they are no words."""


def filled(
    assistant: Assistant, given: Mapping[str, Any] | None = None, *, examples: bool = False
) -> Assistant:
    """The assistant of one call.

    Args:
        assistant: as its file has it.
        given: what the call brings along; what the file does not declare is left aside.
        examples: whether the file's examples stand for what is not given.
    """
    if not assistant.data:
        return assistant
    values = {
        name: word(given[name]) if given and name in given else (examples and each.example) or each.default
        for name, each in assistant.data.items()
    }
    tree = assistant.model_dump(by_alias=True)
    for key in tree.keys() - _FIXED:
        tree[key] = _fill(tree[key], values)
    made = Assistant.model_validate(tree)
    made._edition = assistant.version
    return made


def word(value: object) -> str:
    """A value as it is spoken."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return " ".join(plain.translate(_BRACES).split())[:LONGEST]


def data_places(text: str) -> list[str]:
    """The names of the values that a text wants."""
    return _PLACE.findall(text)


def _fill(tree: Any, values: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        return _PLACE.sub(lambda match: values.get(match.group(1), ""), tree)
    if isinstance(tree, dict):
        return {key: _fill(item, values) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_fill(item, values) for item in tree]
    return tree
