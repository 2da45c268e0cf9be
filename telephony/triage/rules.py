"""From evidence to a decision. Pure; the order of the rules is their rank.

A person says a word or two and waits: 0.6 s of silence after a short greeting decide. A machine says what it
is, or talks on, or beeps. What says something but is neither is waited for a little longer, so that its
words may be recognised, and counts as a person then: to hang up on a person is worse than to talk to a
machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.calls.outcomes import AnsweredBy
from telephony.triage.evidence import Decision

if TYPE_CHECKING:
    from telephony.triage.cues import CueKind
    from telephony.triage.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Limits:
    """The times of the rules, in seconds; measured by ``bench/triage.py``.

    Attributes:
        short_s: a greeting up to this is a person's.
        short_silence_s: silence after it that decides.
        middle_s: a greeting up to this is a person's as a rule.
        middle_silence_s: silence after that one, or after one that holds a person's words.
        long_silence_s: silence after a longer one whose words say nothing else.
        unheard_silence_s: silence after which words, or a model, that have not come are not waited for.
        talks_on_s: nobody greets a caller for so long.
        deadline_s: since the answer: whatever it is, it is not waited for any longer.
        needs_words: whether short greetings are judged by their words too, and one weak phrase is enough.
    """

    short_s: float = 1.3
    short_silence_s: float = 0.6
    middle_s: float = 2.6
    middle_silence_s: float = 0.8
    long_silence_s: float = 1.1
    unheard_silence_s: float = 1.8
    talks_on_s: float = 7.0
    deadline_s: float = 20.0
    needs_words: bool = False


USUAL = Limits()
"""Of whoever answers first."""

_MACHINES: tuple[tuple[CueKind, AnsweredBy, str], ...] = (
    ("screener", AnsweredBy.SCREENER, "asks who calls and why"),
    ("voicemail", AnsweredBy.VOICEMAIL, "asks for a message"),
    ("ivr", AnsweredBy.IVR, "offers a menu or a queue"),
    ("unavailable", AnsweredBy.UNKNOWN, "an announcement: the subscriber cannot be reached"),
)
"""In this order where a greeting holds phrases of two: a screener may offer to take a message too, and a
network that cannot reach somebody offers a mailbox."""

_SURE_BEEP_S = 0.3
_SOON_S = 2.5
_DIALOGUE_S = 1.5
"""Somebody who is talked to is silent for so long in between."""
_MORE_S = 0.9
"""Silence after a greeting of which the words so far do not say all."""
_LONG_S = 3.0
"""A greeting so long needs one weak phrase alone to be a machine's."""

_CATEGORIES: dict[str, tuple[AnsweredBy, bool]] = {
    "human": (AnsweredBy.HUMAN, False),
    "machine-ivr": (AnsweredBy.IVR, False),
    "machine-vm": (AnsweredBy.VOICEMAIL, False),
    "machine-unavailable": (AnsweredBy.UNKNOWN, True),
}
"""LiveKit's; a screener is a menu to it, which the phrases tell apart."""


def decide(evidence: Evidence, limits: Limits) -> Decision | None:
    """Who answered; None while that is open."""
    return (
        _by_tone(evidence)
        or by_words(evidence, one_is_enough=limits.needs_words)
        or _by_model(evidence)
        or _by_greeting(evidence, limits)
        or _at_deadline(evidence, limits)
    )


def revise(evidence: Evidence, before: Decision, since_s: float) -> Decision | None:
    """What shows that a person was none after all; None where nothing does.

    Args:
        since_s: seconds since that was decided.
    """
    if before.answered_by not in (AnsweredBy.HUMAN, AnsweredBy.UNKNOWN) or before.unreachable:
        return None
    told = by_words(evidence, strong_only=True)
    if told is not None:
        return told
    beep = evidence.beep
    if beep is None:
        return None
    # Later, shorter ones mark a call that is recorded, or another call that waits; not after a monologue.
    talked_on = evidence.greeting_s >= _LONG_S and max(evidence.pauses_s, default=0.0) < _DIALOGUE_S
    if beep.length_s < _SURE_BEEP_S and since_s > _SOON_S and not talked_on:
        return None
    return Decision(AnsweredBy.VOICEMAIL, 0.85, "a beep")


def _by_tone(evidence: Evidence) -> Decision | None:
    for tone in evidence.tones:
        if tone.name == "fax":
            return Decision(AnsweredBy.UNKNOWN, 0.95, "a fax machine", unreachable=True)
        if tone.name in ("special_information", "busy", "congestion"):
            named = tone.name.replace("_", " ")
            return Decision(AnsweredBy.UNKNOWN, 0.9, f"the network's {named} tone", unreachable=True)
    if evidence.beep is not None:
        spoken = evidence.greeting_s >= 0.8
        return Decision(AnsweredBy.VOICEMAIL, 0.95 if spoken else 0.75, "a beep")
    return None


def by_words(
    evidence: Evidence, *, strong_only: bool = False, one_is_enough: bool = False
) -> Decision | None:
    """What a machine has said of itself."""
    for kind, answered_by, reason in _MACHINES:
        cues = [cue for cue in evidence.cues if cue.kind == kind]
        strong = next((cue for cue in cues if cue.strong), None)
        unreachable = kind == "unavailable"
        if strong is not None:
            if unreachable and evidence.silence_s < _MORE_S:
                # A network that cannot reach somebody may go on and offer a mailbox.
                return None
            return Decision(answered_by, 0.95, f"{reason}: “{strong.phrase}”", unreachable)
    if strong_only or evidence.silence_s < _MORE_S:
        return None
    for kind, answered_by, reason in _MACHINES:
        cues = [cue for cue in evidence.cues if cue.kind == kind]
        if cues and (one_is_enough or len(cues) > 1 or evidence.greeting_s > _LONG_S):
            return Decision(answered_by, 0.75, f"{reason}: “{cues[0].phrase}”", kind == "unavailable")
    if one_is_enough and any(cue.kind == "hold" for cue in evidence.cues):
        return Decision(AnsweredBy.SCREENER, 0.7, "asks to wait")
    return None


def _by_model(evidence: Evidence) -> Decision | None:
    verdict = evidence.model
    if verdict is None or verdict.category not in _CATEGORIES:
        return None
    answered_by, unreachable = _CATEGORIES[verdict.category]
    if answered_by is AnsweredBy.HUMAN and evidence.silence_s < USUAL.short_silence_s:
        return None
    return Decision(answered_by, 0.9, f"the model says {verdict.category}", unreachable)


def _by_greeting(evidence: Evidence, limits: Limits) -> Decision | None:
    length_s, silence_s = evidence.greeting_s, evidence.silence_s
    if evidence.utterances == 0 or evidence.tone_sounding:
        return None
    if length_s >= limits.talks_on_s:
        return Decision(AnsweredBy.VOICEMAIL, 0.6, f"talks on for {limits.talks_on_s:g} s")
    if limits.needs_words:
        if evidence.words_due and silence_s < limits.unheard_silence_s:
            return None
        if any(cue.kind != "person" for cue in evidence.cues):
            return None
    if length_s <= limits.short_s:
        if silence_s >= limits.short_silence_s:
            return Decision(AnsweredBy.HUMAN, 0.95, "a short greeting, then silence")
        return None
    person = any(cue.kind == "person" for cue in evidence.cues)
    machine = any(cue.kind not in ("person", "hold") for cue in evidence.cues)
    if length_s <= limits.middle_s and not machine:
        if silence_s >= limits.middle_silence_s:
            return Decision(AnsweredBy.HUMAN, 0.85, "a greeting, then silence")
        return None
    if (evidence.words_due or evidence.model_due) and silence_s < limits.unheard_silence_s:
        return None
    if silence_s >= limits.long_silence_s:
        # A mailbox beeps in that time as a rule, and its words have not shown it.
        return Decision(AnsweredBy.HUMAN, 0.7 if person else 0.55, "a long greeting, then silence")
    return None


def _at_deadline(evidence: Evidence, limits: Limits) -> Decision | None:
    if evidence.answered_s < limits.deadline_s:
        return None
    return Decision(AnsweredBy.UNKNOWN, 0.0, f"undecided after {limits.deadline_s:g} s")
