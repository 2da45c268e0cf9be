"""What the speech engine loads for a line's assistants."""

from __future__ import annotations

import pytest

from provisioning.config import LineConfig
from provisioning.sections.agent import AssistantsSection
from provisioning.sections.routing import InboundRule, RoutingSection
from telephony.assistants.loader import load_assistant
from telephony.errors import AssistantError
from telephony.line.languages import engine_languages
from telephony.speech.settings import (
    CartesiaTtsSettings,
    DeepgramSttSettings,
    EngineSettings,
    SpeechSettings,
)

pytestmark = pytest.mark.pure

RECEPTION = load_assistant("reception")
LANGUAGES = {"reception": "en", "desk": "en", "dostavka": "ru"}


@pytest.fixture(autouse=True)
def _assistants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are known, of which one speaks Russian."""

    def load(name: str, _: object) -> object:
        if name not in LANGUAGES:
            raise AssistantError(f"There is no assistant {name}.")
        return RECEPTION.model_copy(update={"language": LANGUAGES[name]})

    monkeypatch.setattr("telephony.line.languages.load_assistant", load)


def line(*rules: str, speech: SpeechSettings | None = None) -> LineConfig:
    """A file whose rules name these assistants."""
    told = [InboundRule(name=f"rule-{name}", assistant=name) for name in rules]
    return LineConfig.model_construct(
        assistants=AssistantsSection(),
        routing=RoutingSection(inbound_rules=told),
        speech=speech or SpeechSettings(),
    )


def test_english_alone_unless_an_assistant_is_russian() -> None:
    """Those that rules name, and the default one; one that cannot be read is the worker's to tell of."""
    assert engine_languages(line()) == ["en"]
    assert engine_languages(line("desk", "nobody")) == ["en"]
    assert engine_languages(line("desk", "dostavka")) == ["en", "ru"]


def test_a_cloud_listens_and_speaks_by_itself() -> None:
    """What the file names is loaded all the same."""
    cloud = SpeechSettings(
        stt=DeepgramSttSettings(provider="deepgram"), tts=CartesiaTtsSettings(provider="cartesia")
    )
    assert engine_languages(line("dostavka", speech=cloud)) == ["en"]
    wanted = SpeechSettings(engine=EngineSettings(languages=["ru"]))
    assert engine_languages(line(speech=wanted)) == ["ru", "en"]
