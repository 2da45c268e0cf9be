"""What is known of one sound of the caller's while the agent has the floor. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

_Item = TypeVar("_Item")

BREATH_S = 0.1
"""Shorter quiet belongs to the sound: the gap between two syllables."""


class Overlap(Generic[_Item]):
    """One overlap; times are the clock's.

    Args:
        began_at: of its first sound.

    Attributes:
        began_at: since when it is sound that nobody has decided on.
        onset_at: its first sound, whatever was decided on since.
        last_sound_at: when the caller was heard last.
        voice: whether a voice was recognised in it.
        level_dbfs: the loudest moment; None before one was measured.
        items: what the recogniser said of it and nobody has been told.
        decided: what was decided last, and by which policy.
        obeyed: the words for which the caller was granted a moment last; they grant no second one.
        patient_since: since when the caller has a moment; None where none was asked for.
    """

    def __init__(self, began_at: float, *, voice: bool = True) -> None:
        self.began_at = self.onset_at = began_at
        self.last_sound_at = began_at
        self.voice = voice
        self.level_dbfs: float | None = None
        self.items: list[_Item] = []
        self.decided: tuple[str, str] | None = None
        self.patient_since: float | None = None
        self.obeyed = ""
        self._settled: list[str] = []
        self._partial = ""

    @property
    def words(self) -> str:
        """What was recognised so far."""
        return " ".join(part for part in (*self._settled, self._partial) if part)

    @property
    def final(self) -> bool:
        """Whether there are words, and none that may still change."""
        return bool(self._settled) and not self._partial

    def sound_again(self, at: float, *, voice: bool) -> None:
        """The caller is heard again after a while."""
        self.began_at = self.onset_at = self.last_sound_at = at
        self.voice = voice
        self.level_dbfs = None
        self.decided = None

    def heard(self, at: float, level_dbfs: float) -> None:
        """The caller's voice is heard."""
        self.voice = True
        self.last_sound_at = at
        self.level_dbfs = level_dbfs if self.level_dbfs is None else max(self.level_dbfs, level_dbfs)

    def said(self, text: str, item: _Item, *, final: bool) -> None:
        """The recogniser tells of words: a partial text replaces the one before, a final one stays."""
        self.items.append(item)
        if final:
            self._settled.append(text.strip())
            self._partial = ""
        else:
            self._partial = text.strip()

    def take(self) -> list[_Item]:
        """The items, which are then somebody else's; the words go with them, and the sound they were.

        What is heard from now on must last by itself to mean anything: a detector goes on for a while.
        """
        items, self.items = self.items, []
        self._settled, self._partial = [], ""
        self.began_at = self.last_sound_at
        return items

    def silence_s(self, now: float) -> float:
        """Since the last sound; 0 within a breath of it."""
        quiet_s = now - self.last_sound_at
        return quiet_s if quiet_s > BREATH_S else 0.0
