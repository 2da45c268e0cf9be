"""A person's name. Pure.

Recognisers write names as ordinary words and guess their spelling, so a name is only ever taken
where one was asked for or announced, and it is read back.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from telephony.assistants.wording import MAX_CHARACTERS, words_of

_MAX_WORDS = 4
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

_ANNOUNCED: Final = (
    ("my", "name", "is"),
    ("my", "names"),
    ("the", "name", "is"),
    ("name", "is"),
    ("name", "of"),
)
_LED: Final = (
    *_ANNOUNCED,
    ("this", "is"),
    ("it", "is"),
    ("its",),
    ("i", "am"),
    ("im",),
    ("call", "me"),
    ("thats",),
    ("that", "is"),
    ("under",),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS: Final = _words(
    "um uh er erm ah oh well yes yeah yep sure ok okay hi hello so for mr mrs ms miss dr doctor the"
)
_ENDS: Final = _words(
    "and i id im ive for on at to from calling please thanks thank speaking here but with who is was"
)
_NOT_NAMES: Final = _words(
    "no nope not what sorry pardon when where why how who which repeat again operator book appointment "
    "nothing none you the a it that this my name is am pm today tomorrow me monday tuesday wednesday "
    "thursday friday saturday sunday goodbye bye wrong incorrect right correct"
)


def parse_name(text: str, *, asked: bool) -> str | None:
    """The name in an utterance, capitalised.

    Args:
        text: the utterance as the recogniser wrote it.
        asked: whether a name was asked for; otherwise only ``my name is ...`` announces one.

    Returns:
        One to four words of letters, or None.
    """
    spoken = _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]))
    plain = ["".join(words_of(word)) for word in spoken]
    start = _after_lead(plain, _LED if asked else _ANNOUNCED)
    if start is None:
        if not asked:
            return None
        start = 0
    while start < len(plain) and plain[start] in _FILLERS:
        start += 1
    end = start
    while end < len(plain) and plain[end] not in _ENDS:
        end += 1
    if not 1 <= end - start <= _MAX_WORDS or any(word in _NOT_NAMES for word in plain[start:end]):
        return None
    return " ".join(_capitalised(word) for word in spoken[start:end])


def _after_lead(words: list[str], leads: tuple[tuple[str, ...], ...]) -> int | None:
    found: int | None = None
    for lead in leads:
        for at in range(len(words) - len(lead) + 1):
            if tuple(words[at : at + len(lead)]) == lead:
                found = max(found or 0, at + len(lead))
    return found


def _capitalised(word: str) -> str:
    # A capital inside, as in McDonald, is the recogniser's knowledge; all capitals is not.
    if any(letter.isupper() for letter in word[1:]) and not word.isupper():
        return word
    return "-".join(part[:1].upper() + part[1:].lower() for part in word.split("-"))
