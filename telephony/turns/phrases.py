"""The phrases by which a caller keeps, takes or leaves the floor, per language; data, in ``languages``.

A language is one YAML file with the eight lists below, read once. An assistant adds phrases to a list, or
takes some away, in its own file (``turns.phrases``). Phrases are compared word by word after
``words.words_of``, so marks, capitals and drawn-out sounds do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from telephony.turns.words import Words, without, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.turns.settings import ListName, PhraseChange

LISTS: tuple[ListName, ...] = (
    "stop",
    "hold",
    "answers",
    "denials",
    "backchannels",
    "fillers",
    "small",
    "weighty",
)
"""In the order of a language's file."""

_FOLDER = Path(__file__).parent / "languages"


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's.

    Attributes:
        language: its code, such as ``ru``.
        stop: make the agent stop at once: ``стоп``, ``wait``.
        hold: ask for a moment: ``секунду``, ``let me check``; without their small words too, where two
            others remain.
        answers: count as an answer where a question is pending: ``да``, ``no``.
        denials: make an answer that holds one a "no": ``not``, ``нет``; a backchannel of several words that
            holds one, ``no problem``, denies nothing unless it is listed here itself.
        backchannels: show that somebody listens: ``угу``, ``right``.
        fillers: mean nothing by themselves: ``ну``, ``uh``.
        small: join other words: ``the``, ``и``; beside a backchannel they are nobody's message.
        weighty: say much, though short or like another: ``who``, ``не``, numbers.
    """

    language: str
    stop: frozenset[Words]
    hold: frozenset[Words]
    answers: frozenset[Words]
    denials: frozenset[Words]
    backchannels: frozenset[Words]
    fillers: frozenset[Words]
    small: frozenset[Words]
    weighty: frozenset[Words]

    @property
    def weightless(self) -> frozenset[Words]:
        """What may stand before a phrase without changing what it means."""
        return self.answers | self.backchannels | self.fillers


def languages() -> list[str]:
    """The languages that have phrases."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def phrases_for(language: str, changes: Mapping[ListName, PhraseChange] | None = None) -> Phrases:
    """The phrases of a language, as an assistant wants them.

    Args:
        language: a code or a tag, ``ru`` or ``ru-RU``; English where there is no such file.
        changes: by the name of a list.
    """
    code = language.casefold().partition("-")[0]
    known = _read(code if code in languages() else "en")
    lists = {}
    for name in LISTS:
        change = (changes or {}).get(name)
        added = {words_of(text) for text in change.add} if change else set()
        removed = {words_of(text) for text in change.remove} if change else set()
        lists[name] = frozenset((known[name] | added) - removed - {()})
    # Small words are what recognisers leave out and mistake most: "wait minute", "give me the second".
    bare = (without(phrase, lists["small"]) for phrase in lists["hold"])
    lists["hold"] |= {phrase for phrase in bare if len(phrase) > 1}
    return Phrases(code, **lists)


@cache
def _read(code: str) -> dict[str, frozenset[Words]]:
    content = yaml.safe_load((_FOLDER / f"{code}.yaml").read_text(encoding="utf-8"))
    return {name: frozenset(words_of(str(text)) for text in content[name]) - {()} for name in LISTS}
