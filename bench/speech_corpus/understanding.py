"""Whether an answer was understood: what was heard means to the dialogue what was said. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from telephony.assistants.flow import Flow
from telephony.assistants.loader import load_assistant
from telephony.assistants.slots.types import SLOT_TYPES, SlotTypeName
from telephony.assistants.turns import Said

_FILE = Path(__file__).parent / "phrases.yaml"


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that a caller says, and what it was asked for: a type of slot, or ``menu``."""

    asked: str
    text: str


class Understanding:
    """The demo's reception, as far as it understands answers."""

    def __init__(self) -> None:
        self._flow = Flow(load_assistant("reception"))

    def hint(self, asked: str) -> str:
        """What the dialogue tells the recogniser to expect."""
        if asked == "menu":
            return self._flow.hint(self._flow.start())
        return SLOT_TYPES[_slot(asked)].hint

    def meaning(self, asked: str, text: str) -> str | None:
        """What an answer comes to; None where it was not understood."""
        if asked != "menu":
            return SLOT_TYPES[_slot(asked)].read(text, True)
        state = self._flow.start()
        step = self._flow.step(state, Said(text))
        if step.state.misses > state.misses:
            return None
        return f"{step.state.at} {sorted(step.state.slots)} {step.call}"


def answers() -> list[Answer]:
    """All of them, by what is asked."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["asked"]
    return [Answer(asked, str(text)) for asked, texts in content.items() for text in texts]


def sentences(language: str) -> list[str]:
    """What an agent says."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["said"]
    return [str(text) for text in content[language]]


def _slot(asked: str) -> SlotTypeName:
    names: dict[str, SlotTypeName] = {name: name for name in SLOT_TYPES}
    return names[asked]
