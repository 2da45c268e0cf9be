"""In which languages the line's speech engine must listen and speak: those of its rules' assistants.

What they need is loaded when the line starts, so that a missing model stops the start and not the first call.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telephony.assistants.loader import load_assistant
from telephony.errors import AssistantError
from telephony.speech.languages import in_language
from telephony.speech.settings import OfflineSttSettings, OfflineTtsSettings

if TYPE_CHECKING:
    from provisioning.config import LineConfig


def engine_languages(config: LineConfig) -> list[str]:
    """Codes, without any twice: the file's own, and those of its assistants; English where there is none."""
    found = list(config.speech.engine.languages)
    folders = [Path(config.assistants.directory)] if config.assistants.directory else []
    for name in _assistants(config):
        try:
            language = load_assistant(name, folders).language
        except AssistantError:
            continue  # the worker says what is wrong with it
        spoken = in_language(config.speech, language)
        for _, chosen in spoken.chosen():
            if isinstance(chosen, OfflineSttSettings | OfflineTtsSettings) and chosen.language:
                found.append(chosen.language)
    return list(dict.fromkeys(found)) or ["en"]


def _assistants(config: LineConfig) -> list[str]:
    named = [config.assistants.default]
    for rule in config.routing.inbound_rules:
        told = rule.assistant or (rule.action.assistant if rule.action else None)
        if told:
            named.append(told)
    return list(dict.fromkeys(named))
