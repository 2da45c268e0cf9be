"""Who wins, by tables: one row a situation, in the languages that are complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony.turns.evidence import Evidence, Span
from telephony.turns.judge import judge_for
from telephony.turns.settings import MustHear, PhraseChange, TurnSettings

pytestmark = pytest.mark.pure

JUDGES = {language: judge_for(TurnSettings(), language) for language in ("en", "ru", "de", "es", "fr")}
SAID = Evidence(since_onset_s=0.6, sound_s=0.4, silence_s=0.3, paused_s=0.5, final=True)
READ_BACK = Span("read_back", yields_to_stop=True)
GOODBYE = Span("goodbye")

BACKCHANNELS = [
    ("ru", "угу"),
    ("ru", "Ага, ага."),
    ("ru", "да-да-да"),
    ("ru", "ну понятно"),
    ("ru", "Мммм"),
    ("ru", "хорошо"),
    ("en", "mhm"),
    ("en", "Uh-huh."),
    ("en", "Right, right."),
    ("en", "oh I see"),
    ("en", "Yeah okay"),
    ("de", "Ach so"),
    ("es", "sí, claro"),
    ("fr", "d’accord"),
]
STOPS = [
    ("ru", "Стоп!"),
    ("ru", "нет подождите"),
    ("ru", "да погоди же"),
    ("ru", "Извините, помолчите"),
    ("en", "stop"),
    ("en", "No, wait."),
    ("en", "okay okay hold on"),
    ("en", "sorry, excuse me"),
    ("de", "Moment mal"),
    ("es", "espere"),
    ("fr", "attendez"),
]
HOLDS = [
    ("ru", "Секунду."),
    ("ru", "ой, одну минуточку"),
    ("ru", "подождите минутку"),
    ("ru", "сейчас, сейчас посмотрю"),
    ("en", "One moment, please."),
    ("en", "uh just a second"),
    ("en", "hold on a sec"),
    ("en", "give me the second"),
    ("en", "wait minute"),
    ("de", "Einen Moment bitte"),
]
ASIDES = [
    ("ru", "лодка"),
    ("ru", "угу давайте"),
    ("en", "people"),
    ("en", "okay garden"),
    ("en", "garden, uh, okay"),
    ("en", "I garden"),
    ("en", "all light"),
]
SPEECH = [
    ("ru", "я хочу записаться"),
    ("ru", "угу а во сколько вы закрываетесь"),
    ("ru", "вторник"),
    ("en", "I cannot wait"),
    ("en", "yeah but what about Saturday"),
    ("en", "Saturday"),
    ("en", "is the bus stop near"),
]


@pytest.mark.parametrize(("language", "words"), BACKCHANNELS)
def test_a_backchannel_lets_the_agent_go_on(language: str, words: str) -> None:
    """It is no turn; while it may still become a sentence it is waited on."""
    decision = JUDGES[language].decide(replace(SAID, words=words))
    assert (decision.action, decision.policy, decision.spent) == ("resume", "backchannels", True)
    partial = replace(SAID, words=words, final=False, silence_s=0.0)
    assert JUDGES[language].decide(partial).action == "wait"
    settled = replace(SAID, words=words, final=False, silence_s=0.3)
    assert JUDGES[language].decide(settled).action == "resume"


@pytest.mark.parametrize(("language", "words"), STOPS)
def test_a_stop_word_wins_at_once(language: str, words: str) -> None:
    """On a partial transcript, while the caller speaks, and whatever is pending."""
    for question in (None, "yes_no", "open"):
        partial = replace(SAID, words=words, final=False, silence_s=0.0, question=question)
        decision = JUDGES[language].decide(partial)
        assert (decision.action, decision.policy) == ("yield", "stop_words")
        assert decision.spent, "a stop word alone wants silence"


@pytest.mark.parametrize(("language", "words"), HOLDS)
def test_a_hold_phrase_is_granted_patience(language: str, words: str) -> None:
    """It is neither a turn nor the end of the agent's words; with more behind it it is speech."""
    decision = JUDGES[language].decide(replace(SAID, words=words))
    assert (decision.action, decision.policy, decision.spent) == ("patience", "hold_phrases", True)
    more = "когда вы открыты" if language == "ru" else "what about Saturday"
    assert JUDGES[language].decide(replace(SAID, words=f"{words} {more}")).action == "yield"


@pytest.mark.parametrize(("language", "words"), SPEECH)
def test_speech_takes_the_floor(language: str, words: str) -> None:
    """Words of weight, whatever stands before them; one alone once it is settled."""
    decision = JUDGES[language].decide(replace(SAID, words=words))
    assert (decision.action, decision.policy, decision.spent) == ("yield", "minimum_speech", False)


@pytest.mark.parametrize(("language", "words"), ASIDES)
def test_one_word_on_no_list_waits_until_the_agent_has_spoken(language: str, words: str) -> None:
    """Beside a backchannel, or briefly by itself; it is kept. A question, or more words, and it counts."""
    judge = JUDGES[language]
    decision = judge.decide(replace(SAID, words=words))
    assert (decision.action, decision.policy, decision.spent, decision.after) == (
        "resume",
        "aside",
        False,
        True,
    )
    assert judge.decide(replace(SAID, words=words, question="open")).action == "yield"
    assert judge.decide(replace(SAID, words=f"{words} garden flowers")).action == "yield"
    assert judge.decide(replace(SAID, words=words, sound_s=1.0)).action == "yield"
    assert judge.decide(replace(SAID, words=words, final=False, silence_s=0.0)).action == "wait"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "operator"),
        ("en", "okay operator"),
        ("en", "all operator"),
        ("en", "shop"),
        ("en", "excuse them"),
        ("en", "sorry?"),
        ("ru", "оператор"),
        ("ru", "угу завтра"),
        ("ru", "пожалуйста"),
    ],
)
def test_a_word_that_says_much_asks_or_sounds_like_a_stop_is_no_aside(language: str, words: str) -> None:
    """It takes the floor at once."""
    assert JUDGES[language].decide(replace(SAID, words=words)).action == "yield"


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", "да"), ("ru", "нет, спасибо"), ("ru", "угу"), ("en", "yes"), ("en", "okay")],
)
def test_an_answer_counts_only_where_something_was_asked(language: str, words: str) -> None:
    """The same word answers a question and accompanies a statement; digits are not answered by it."""
    asked = JUDGES[language].decide(replace(SAID, words=words, question="yes_no"))
    assert (asked.action, asked.policy, asked.spent) == ("yield", "answers", False)
    if words not in ("нет, спасибо",):
        assert JUDGES[language].decide(replace(SAID, words=words)).action == "resume"
        assert JUDGES[language].decide(replace(SAID, words=words, question="digits")).action == "resume"


@pytest.mark.parametrize(
    ("language", "first", "words", "policy"),
    [
        ("en", "Yes,", "that's right", "same_answer"),
        ("en", "Yes.", "that's bright", "same_answer"),
        ("en", "yeah", "please", "same_answer"),
        ("en", "No.", "no thank you", "same_answer"),
        ("en", "No.", "not really", "same_answer"),
        ("ru", "Да,", "всё верно", "same_answer"),
        ("ru", "нет", "не нужно", "same_answer"),
        ("de", "Ja.", "genau", "same_answer"),
        ("es", "sí", "eso es", "same_answer"),
        ("fr", "oui", "c’est ça", "same_answer"),
        ("en", "Yes.", "no problem", "same_answer"),
        ("en", "Yes.", "no doubt, thanks", "same_answer"),
        ("en", "No.", "no way", "same_answer"),
        ("en", "Yes.", "no way", "answers"),
        ("en", "No.", "no problem", "answers"),
        ("en", "Yes.", "no", "answers"),
        ("en", "No.", "yes", "answers"),
        ("ru", "да", "нет", "answers"),
        ("en", "Yes.", "wait", "stop_words"),
        ("en", "Yes.", "one moment", "hold_phrases"),
        ("en", "Yes.", "on Friday morning", "minimum_speech"),
        ("ru", "да", "на пятницу утром", "minimum_speech"),
    ],
)
def test_what_follows_an_answer_at_once_is_part_of_it(
    language: str, first: str, words: str, policy: str
) -> None:
    """If it says no more; it answers nothing else, and takes nothing away."""
    soon = replace(SAID, words=words, question="yes_no", answered=first, answered_s=0.4)
    assert JUDGES[language].decide(soon).policy == policy
    later = replace(soon, answered_s=3.0)
    assert JUDGES[language].decide(later).policy != "same_answer"


def test_what_must_be_heard_is_spoken_on() -> None:
    """Over speech, keys and answers; a stop word makes a read-back wait, and a goodbye for nothing."""
    judge = JUDGES["en"]
    for evidence in (
        replace(SAID, words="I want something else"),
        replace(SAID, key="1"),
        replace(SAID, words="yes", question="yes_no"),
        replace(SAID, sound_s=5.0, silence_s=0.0),
    ):
        for span in (READ_BACK, GOODBYE):
            decision = judge.decide(replace(evidence, must_hear=span))
            assert (decision.action, decision.policy) == ("resume", "must_hear")
            assert not decision.spent, "it is heard after"
    assert judge.decide(replace(SAID, words="wait", must_hear=READ_BACK)).action == "patience"
    assert judge.decide(replace(SAID, words="wait", must_hear=GOODBYE)).action == "resume"


def test_a_key_takes_the_floor() -> None:
    """Nobody presses a key to agree."""
    assert JUDGES["en"].decide(Evidence(key="0")).policy == "key"


@pytest.mark.parametrize(
    ("evidence", "action", "policy"),
    [
        (Evidence(since_onset_s=0.1, sound_s=0.1), "wait", "judge"),
        (Evidence(since_onset_s=1.0, sound_s=1.0), "yield", "minimum_speech"),
        (Evidence(since_onset_s=0.6, sound_s=0.65, transcripts="final"), "wait", "judge"),
        (Evidence(since_onset_s=0.9, sound_s=0.95, transcripts="final"), "yield", "minimum_speech"),
        (Evidence(since_onset_s=0.8, sound_s=0.3, silence_s=0.5), "resume", "deadline"),
        (Evidence(since_onset_s=0.8, sound_s=0.3, silence_s=0.5, transcripts="final"), "wait", "judge"),
        (Evidence(since_onset_s=1.0, sound_s=0.3, silence_s=0.7, transcripts="none"), "resume", "deadline"),
        (Evidence(since_onset_s=0.3, sound_s=0.3, snr_db=3.0), "resume", "noise"),
        (Evidence(since_onset_s=0.3, sound_s=0.3, snr_db=20.0), "wait", "judge"),
        (Evidence(since_onset_s=0.1, voice=False), "wait", "noise"),
        (Evidence(since_onset_s=0.25, voice=False), "resume", "noise"),
        (Evidence(words="ye", sound_s=0.2), "wait", "minimum_speech"),
        (Evidence(words="uh", sound_s=0.2, paused_s=3.1), "wait", "backchannels"),
        (Evidence(words="oh I", sound_s=0.3), "wait", "backchannels"),
        (Evidence(words="let me", sound_s=0.3), "wait", "minimum_speech"),
        (Evidence(words="all", sound_s=0.3, silence_s=0.3), "wait", "judge"),
        (Evidence(words="all", sound_s=0.3, silence_s=0.46), "resume", "deadline"),
        (Evidence(words="let me talk to", sound_s=0.6), "yield", "stop_words"),
        (Evidence(words="than I see", sound_s=0.6, silence_s=0.3), "resume", "backchannels"),
        (Evidence(words="night", sound_s=0.3, silence_s=0.3), "resume", "backchannels"),
        (Evidence(words="night", sound_s=0.3, silence_s=0.3, question="open"), "yield", "minimum_speech"),
        (Evidence(words="is it from the", sound_s=0.8), "yield", "minimum_speech"),
        (Evidence(words="oh all", sound_s=0.5, silence_s=0.3), "resume", "backchannels"),
        (Evidence(words="night there Paul", sound_s=0.9, silence_s=0.3), "yield", "minimum_speech"),
        (Evidence(words="oh who", sound_s=0.5, silence_s=0.3), "yield", "minimum_speech"),
        (Evidence(words="okay operator", sound_s=0.8, silence_s=0.3), "yield", "minimum_speech"),
        (Evidence(words="me", sound_s=0.5, silence_s=0.3), "yield", "minimum_speech"),
        (Evidence(words="cold", sound_s=0.4, silence_s=0.3), "resume", "backchannels"),
        (Evidence(words="cold", sound_s=0.4), "wait", "minimum_speech"),
        (Evidence(words="cold", sound_s=0.8, silence_s=0.3), "yield", "minimum_speech"),
        (Evidence(words="cold", sound_s=0.4, silence_s=0.3, question="open"), "yield", "minimum_speech"),
        (Evidence(words="shop", sound_s=0.4, silence_s=0.3, final=True), "yield", "minimum_speech"),
        (Evidence(words="sounds", sound_s=0.4, silence_s=0.3, final=True), "resume", "backchannels"),
        (Evidence(words="oh thanks I see", sound_s=0.8, silence_s=0.3), "resume", "backchannels"),
        (Evidence(words="oh Friday I see", sound_s=0.8, silence_s=0.3), "yield", "minimum_speech"),
    ],
)
def test_without_words_time_and_loudness_decide(evidence: Evidence, action: str, policy: str) -> None:
    """A recogniser that tells words only afterwards is waited for longer, and speech counts sooner."""
    decision = JUDGES["en"].decide(evidence)
    assert (decision.action, decision.policy) == (action, policy)


def test_the_agents_own_words_are_nobodys() -> None:
    """Three of them in a row are an echo; two may be chance."""
    said = "we are open from nine to five on all weekdays"
    echo = JUDGES["en"].decide(replace(SAID, words="nine to five", agent_said=said))
    assert (echo.action, echo.policy) == ("resume", "echo")
    assert JUDGES["en"].decide(replace(SAID, words="from nine", agent_said=said)).action == "yield"


def test_an_assistant_changes_the_lists() -> None:
    """Phrases are added and taken away in its file; the defaults of what must be heard are stated there."""
    changed = TurnSettings.model_validate(
        {
            "language": "ru",
            "phrases": {"stop": {"add": ["горшочек не вари"]}, "backchannels": {"remove": ["хорошо"]}},
            "must_hear": {"read_back": False},
        }
    )
    assert changed.phrases["stop"] == PhraseChange(add=["горшочек не вари"])
    judge = judge_for(changed, "en")
    assert judge.language == "ru"
    assert judge.decide(replace(SAID, words="Горшочек, не вари!")).policy == "stop_words"
    assert judge.decide(replace(SAID, words="хорошо")).action == "yield"
    assert changed.must_hear == MustHear(read_back=False)
