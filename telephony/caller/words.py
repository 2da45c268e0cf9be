"""Whether somebody said something, judged on a recogniser's text that is nearly right.

Pure. Spelling, punctuation and the way numbers are written do not count ("half past three", "3:30 p.m." stay
different, "ten" and "10:00" are the same, and so are "1,042" and "1042", "ё" and "е"), a misheard letter in a
longer word is forgiven, and a word may have been heard as two or two as one. A number must be right.
"""

from __future__ import annotations

import re

from telephony.edit_distance import edit_distance

_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
"""
_ORDINALS = """
    zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth
"""
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_NUMBERS = {
    **{word: value for value, word in enumerate(_UNITS.split())},
    **{word: value for value, word in enumerate(_ORDINALS.split())},
    **_TENS,
    "twentieth": 20,
    "thirtieth": 30,
}
_DROPPED = {"oclock"}
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """A text as comparable words: lower case, no punctuation, numbers as digits.

    ``"Ten o'clock, on the twenty-third."`` is ``["10", "on", "the", "23"]``.
    """
    spoken = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text.lower())
    spoken = re.sub(r"(\d),(?=\d{3}\b)", r"\1", spoken).replace("ё", "е")
    spoken = re.sub(r"(\d):00\b", r"\1", spoken)
    spoken = re.sub(r"(\d)(st|nd|rd|th|am|pm)\b", r"\1 \2", spoken)
    tokens = [re.sub(r"['’]", "", token) for token in _TOKEN.findall(spoken)]
    kept = [token for token in tokens if token not in _DROPPED]
    return _numbers_joined([token for i, token in enumerate(kept) if not _is_ordinal_ending(kept, i)])


def _is_ordinal_ending(tokens: list[str], index: int) -> bool:
    return tokens[index] in {"st", "nd", "rd", "th"} and index > 0 and tokens[index - 1].isdigit()


def _numbers_joined(tokens: list[str]) -> list[str]:
    """Number words as digits; a ten and a unit behind it become one number."""
    words: list[str] = []
    open_ten = False
    for token in tokens:
        value = _NUMBERS.get(token)
        if value is None:
            words.append(token)
            open_ten = False
        elif open_ten and 1 <= value <= 9:
            words[-1] = str(int(words[-1]) + value)
            open_ten = False
        else:
            words.append(str(value))
            open_ten = token in _TENS
    return words


def heard_in(entry: str, heard: str) -> bool:
    """Whether a text has the words of an entry, next to each other and in order.

    Args:
        entry: a word or phrase; ``|`` separates spellings of which one is enough.
        heard: what a recogniser understood.
    """
    return any(_found(words_of(spelling), words_of(heard)) for spelling in entry.split("|"))


def begins_with(entry: str, heard: str) -> bool:
    """Whether a text starts with the words of an entry; ``|`` separates spellings."""
    words = words_of(heard)
    for spelling in entry.split("|"):
        wanted = words_of(spelling)
        if wanted and _found(wanted, words[: len(wanted)]):
            return True
    return False


def missing_from(heard: str, *, every: list[str], one_of: list[str]) -> list[str]:
    """What a text lacks of what it should say; empty when it has all of it.

    Args:
        heard: what a recogniser understood.
        every: entries that must all be there.
        one_of: entries of which one must be there; none are needed when the list is empty.
    """
    missing = [entry for entry in every if not heard_in(entry, heard)]
    if one_of and not any(heard_in(entry, heard) for entry in one_of):
        missing.append(" or ".join(one_of))
    return missing


def _found(wanted: list[str], heard: list[str]) -> bool:
    if not wanted:
        return False
    for size in (len(wanted), len(wanted) - 1, len(wanted) + 1):
        windows = (heard[start : start + size] for start in range(len(heard) - size + 1)) if size else ()
        if any(_alike(wanted, window) for window in windows):
            return True
    return False


def _alike(wanted: list[str], heard: list[str]) -> bool:
    if [word for word in wanted if word.isdigit()] != [word for word in heard if word.isdigit()]:
        return False
    if len(wanted) == len(heard):
        return all(left == right or _misheard(left, right) for left, right in zip(wanted, heard, strict=True))
    return _misheard("".join(wanted), "".join(heard))


def _misheard(left: str, right: str) -> bool:
    """One wrong letter is forgiven from five letters on, two from ten on."""
    allowed = min(2, min(len(left), len(right)) // 5)
    return left == right or (allowed > 0 and edit_distance(left, right) <= allowed)
