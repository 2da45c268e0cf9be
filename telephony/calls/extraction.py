"""Read a questionnaire's fields out of a transcript, without calling anybody again.

Pure and deterministic: for each declared field the agent's turn that asked it is found by the words
of its prompt, and the caller's answer is read by the field's type. A model-based extractor may take
its place; this one needs no key and always answers the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    _Reader = Callable[[str, Mapping[str, Any]], Any]

_ASKED = 0.5
"""Share of a prompt's words that an agent's turn must have to be taken for the question."""

_WORD = re.compile(r"\w+", re.UNICODE)
_YES = re.compile(r"\b(yes|yeah|yep|sure|correct|right|of course|да|верно|конечно|ага)\b", re.IGNORECASE)
_NO = re.compile(r"\b(no|nope|not|never|нет|неверно|не)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY = re.compile(
    r"\b(?:(?:today|tomorrow)|(?:mon|tues|wednes|thurs|fri|satur|sun)day|сегодня|завтра|послезавтра|"
    r"понедельник|вторник|сред[ау]|четверг|пятниц[ау]|суббот[ау]|воскресенье)\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b([01]?\d|2[0-3])(?::([0-5]\d))?\s*(a\.?m\.?|p\.?m\.?)?(?!\w)", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_INTRODUCTION = re.compile(
    r"^\s*(?:(?:yes|well|um|uh|sure|okay|ok)[,.\s]+)*"
    r"(?:my name is|my name's|i am|i'm|it is|it's|this is|меня зовут|это)\s+",
    re.IGNORECASE,
)
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPOKEN = {word: value for value, word in enumerate(_NUMBER_WORDS.split())} | {
    word: 10 * value for value, word in enumerate(_TENS_WORDS.split(), start=2)
}


def extract(
    declared: Sequence[Mapping[str, Any]], turns: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Find each declared field in the turns.

    Args:
        declared: as ``telephony.calls.shapes.DeclaredField``.
        turns: as ``telephony.calls.transcript.transcript`` gives them.

    Returns:
        Name to ``value``, ``confidence`` (0 to 1) and ``turn`` (its number, or its public seq where it has
        none), of those found.
    """
    found = {}
    for field in declared:
        value = _find(field, turns)
        if value is not None:
            found[str(field["name"])] = value
    return found


def _find(field: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    read: _Reader = _READERS.get(str(field.get("type", "text")), _text)
    # The last answer counts: a caller who corrects himself is asked, and answers, again.
    for asked, answer in reversed(list(_answers(field, turns))):
        value = read(str(answer["text"]), field)
        if value is not None:
            return {
                "value": value,
                "confidence": round(0.5 + asked / 2, 2),
                "turn": answer.get("turn", answer["seq"]),
            }
    return None


def _answers(
    field: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[float, Mapping[str, Any]]]:
    prompt = _words(str(field.get("prompt") or str(field["name"]).replace("_", " ")))
    asked = 0.0
    for turn in turns:
        if turn["who"] == "agent":
            asked = len(prompt & _words(str(turn["text"]))) / len(prompt) if prompt else 0.0
        elif turn["who"] == "caller" and asked >= _ASKED:
            yield asked, turn


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _text(text: str, _field: Mapping[str, Any]) -> str | None:
    return _INTRODUCTION.sub("", text).strip(" .,!?") or None


def _boolean(text: str, _field: Mapping[str, Any]) -> bool | None:
    yes, no = bool(_YES.search(text)), bool(_NO.search(text))
    return yes if yes is not no else None


def _number(text: str, _field: Mapping[str, Any]) -> float | None:
    match = _NUMBER.search(text)
    if match:
        return float(match.group().replace(",", "."))
    spoken = _spoken_number(text)
    return None if spoken is None else float(spoken)


def _integer(text: str, field: Mapping[str, Any]) -> int | None:
    number = _number(text, field)
    return int(number) if number is not None and number.is_integer() else None


def _spoken_number(text: str) -> int | None:
    total = None
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _SPOKEN:
            total = (total or 0) + _SPOKEN[word]
        elif total is not None:
            break
    return total


def _date(text: str, _field: Mapping[str, Any]) -> str | None:
    match = _DATE.search(text) or _DAY.search(text)
    return match.group().lower() if match else None


def _time(text: str, _field: Mapping[str, Any]) -> str | None:
    for match in _TIME.finditer(text):
        hour, minute, half = int(match.group(1)), int(match.group(2) or 0), (match.group(3) or "").lower()
        if half and 1 <= hour <= 12:
            hour = hour % 12 + (12 if half.startswith("p") else 0)
        return f"{hour:02d}:{minute:02d}"
    spoken = _spoken_number(text)
    return f"{spoken:02d}:00" if spoken is not None and spoken < 24 else None


def _phone(text: str, _field: Mapping[str, Any]) -> str | None:
    digits = re.sub(r"[^\d+]", "", text)
    return digits if len(digits.lstrip("+")) >= 5 else None


def _email(text: str, _field: Mapping[str, Any]) -> str | None:
    spoken = re.sub(r"\s+dot\s+", ".", text.lower())
    match = _EMAIL.search(re.sub(r"\s+at\s+", "@", spoken))
    return match.group() if match else None


def _choice(text: str, field: Mapping[str, Any]) -> str | None:
    said = text.lower()
    named = [choice for choice in field.get("choices") or [] if str(choice).lower() in said]
    return str(named[0]) if len(named) == 1 else None


_READERS: dict[str, _Reader] = {
    "text": _text,
    "boolean": _boolean,
    "number": _number,
    "integer": _integer,
    "date": _date,
    "time": _time,
    "phone": _phone,
    "email": _email,
    "choice": _choice,
}
