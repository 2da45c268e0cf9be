"""What an operator is told of a caller before the two are joined. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.schema import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import Operator

_LONGEST = 400
"""Characters of one part: an operator listens for seconds, not minutes."""


def briefing_text(
    wanted: Operator, *, about: str, last_words: str, number: str, fields: Mapping[str, str]
) -> str:
    """The words for the operator.

    Args:
        wanted: the assistant's; its ``briefing`` may hold ``{about}``, ``{number}`` and ``{fields}``.
        about: what the caller wants, in the assistant's words; empty where it said nothing of it.
        last_words: what the caller said last, which stands for ``about`` where that is empty.
        number: the caller's; empty when it is withheld.
        fields: what the call has brought in, spoken.
    """
    told = about.strip() or (f'The caller said: "{last_words.strip()}".' if last_words.strip() else "")
    parts = {
        "about": _sentence(told),
        "number": " ".join(number.removeprefix("+")) or "unknown",
        "fields": _sentence(", ".join(f"{name}: {value}" for name, value in fields.items())),
    }
    text = PLACEHOLDER.sub(lambda found: parts.get(found[1], ""), wanted.briefing)
    return " ".join(text.split())


def _sentence(text: str) -> str:
    cut = text.strip()[:_LONGEST]
    return cut if not cut or cut[-1] in '.!?"' else f"{cut}."
