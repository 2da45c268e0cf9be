"""What an assistant may say about turns: the ``turns`` section of its file. Pure data.

Each default is stated with why; ``docs/turns.md`` has the section as an operator reads it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ListName = Literal["stop", "hold", "answers", "denials", "backchannels", "fillers", "small", "weighty"]
"""The lists of ``telephony.turns.phrases``."""

PhraseText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class PhraseChange(_Section):
    """What an assistant changes in one list of phrases."""

    add: list[PhraseText] = Field(default_factory=list, max_length=200)
    """Phrases that belong there too."""
    remove: list[PhraseText] = Field(default_factory=list, max_length=200)
    """Phrases that do not."""


class MustHear(_Section):
    """What is spoken to its end although the caller talks over it; what was said meanwhile is heard after."""

    greeting: bool = False
    """The first words, which may hold a disclosure. Default false: regular callers interrupt them."""
    read_back: bool = True
    """The question that repeats what was collected. Default true."""
    transfer: bool = True
    """The notice of a transfer. Default true: a word over it must not cancel the transfer."""
    goodbye: bool = True
    """The last words. Default true."""


class TurnSettings(_Section):
    """When the agent stops speaking, and when it goes on."""

    enabled: bool = True
    """Whether playback is paused at a sound and decided on after. Default true."""
    language: Literal["de", "en", "es", "fr", "ru"] | None = None
    """Whose phrases are listened for. Default: the assistant's language."""
    phrases: dict[ListName, PhraseChange] = Field(default_factory=dict)
    """Changes to the lists of that language."""
    must_hear: MustHear = MustHear()
    """What cannot be talked away."""
    min_speech_ms: int = Field(default=900, ge=200, le=5000)
    """Sound without a word after which the agent yields, where words are recognised as they are spoken.
    Default 900: by then a recogniser has told of the first one."""
    min_speech_unheard_ms: int = Field(default=900, ge=200, le=5000)
    """The same where words are known only afterwards, or never. Default 900: two
    backchannels in a row are shorter, and till then the words may come."""
    resume_after_ms: int = Field(default=450, ge=100, le=3000)
    """Silence without a word after which the agent goes on. Default 450: a word takes 150 to 400 to
    be recognised."""
    resume_after_unheard_ms: int = Field(default=650, ge=100, le=3000)
    """The same where words are known only afterwards. Default 650."""
    settle_ms: int = Field(default=250, ge=0, le=2000)
    """Silence after which the words so far are taken for all of them. Default 250."""
    longest_pause_ms: int = Field(default=3000, ge=500, le=20_000)
    """Longest pause without a decision; then the agent yields to whoever is still heard. Default 3000."""
    patience_s: float = Field(default=10.0, ge=1.0, le=120.0)
    """Silence that is granted to a caller who asked for a moment. Default 10."""
    noise_db: float = Field(default=6.0, ge=0.0, le=40.0)
    """A sound less than this above the line's noise is no interruption by itself. Default 6."""
