"""A person's name in Russian: only where it was asked for, or announced. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from telephony.assistants.slots.russian.numerals import listed
from telephony.assistants.wording import MAX_CHARACTERS

_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_ANNOUNCED: Final = (("меня", "зовут"), ("мое", "имя"), ("моя", "фамилия"))
_FILLERS: Final = frozenset(listed("ну э эм да ага так это я вот алло здравствуйте добрый день меня зовут"))
_NOT_NAMES: Final = frozenset(
    listed(
        "нет не что кто как где когда простите извините повторите оператора оператор сегодня завтра спасибо"
    )
)
_MOST_WORDS = 3


def parse_name(text: str, *, asked: bool) -> str | None:
    """The name in an utterance, capitalised; one to three words, or None."""
    spoken = _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]))
    plain = [word.casefold().replace("ё", "е") for word in spoken]
    starts = [
        at + len(lead)
        for lead in _ANNOUNCED
        for at in range(len(plain))
        if tuple(plain[at : at + len(lead)]) == lead
    ]
    if not starts and not asked:
        return None
    start = max(starts, default=0)
    while start < len(plain) and plain[start] in _FILLERS:
        start += 1
    words = spoken[start:]
    if not 1 <= len(words) <= _MOST_WORDS or any(word in _NOT_NAMES for word in plain[start:]):
        return None
    return " ".join(
        "-".join(part[:1].upper() + part[1:].lower() for part in word.split("-")) for word in words
    )
