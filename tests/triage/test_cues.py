"""The phrases: what they are found in, and what they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from telephony.triage.cues import CueKind, find_cues, phrases, words_of

pytestmark = pytest.mark.pure

ANSWERS = Path(__file__).parent.parent.parent / "bench" / "answers.yaml"


def strong(text: str) -> set[CueKind]:
    """The kinds of the phrases that decide alone."""
    return {cue.kind for cue in find_cues(text) if cue.strong and cue.kind != "person"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Please leave us a short message.", "voicemail"),
        ("оставьте, пожалуйста, ваше сообщение", "voicemail"),
        ("Говорите после ГУДКА", "voicemail"),
        ("Go ahead and say your name and why you're calling", "screener"),
        ("If you record your name and reason for calling, I'll see if this person is available.", "screener"),
        ("Представьтесь, пожалуйста", "screener"),
        ("For sales, press one", "ivr"),
        ("Для связи с оператором нажмите ноль", "ivr"),
        ("Абонент временно недоступен", "unavailable"),
        ("Аппарат абонента выключен или находится вне зоны действия сети", "unavailable"),
        ("Алло", "person"),
        ("Hello, Ann speaking", "person"),
    ],
)
def test_a_phrase_is_found_in_what_is_said(text: str, kind: CueKind) -> None:
    """Words between its own, capitals and marks do not matter."""
    assert kind in {cue.kind for cue in find_cues(text)}


def test_no_person_of_the_corpus_says_a_machines_phrase() -> None:
    """To hang up on a person is worse than to talk to a machine."""
    corpus = yaml.safe_load(ANSWERS.read_text())
    texts = [text for labels in corpus.values() for texts in labels["human"].values() for text in texts]
    assert {text: strong(text) for text in texts if strong(text)} == {}


def test_every_phrase_is_found_in_its_own_words() -> None:
    """No phrase of the lists is written so that nothing fits it."""
    for cue in phrases():
        text = " ".join(part.split("/")[0].removesuffix("~") for part in cue.phrase.split() if part != "*")
        assert cue in find_cues(text), cue


@pytest.mark.parametrize("text", ["", "…", "one two three four", "\x00", "а" * 5000])
def test_nothing_is_found_in_nothing(text: str) -> None:
    """Neither in noise a recogniser makes."""
    assert strong(text) == set()


def test_words_are_plain() -> None:
    """Marks and capitals are gone, ё is е, an apostrophe joins."""
    assert words_of("Can't… Ещё РАЗ!") == ("cant", "еще", "раз")
