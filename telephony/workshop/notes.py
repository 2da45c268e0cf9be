"""What is right in an assistant's file and may surprise all the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telephony.assistants.pipeline import speech_for
from telephony.caller.script_file import load_script
from telephony.errors import ConfigError
from telephony.workshop.outside import read_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import Assistant
    from telephony.workshop.place import Place


def notes_on(place: Place, assistant: Assistant, env: Mapping[str, str] = os.environ) -> list[str]:
    """Sentences about a right file, its scripts read too.

    Raises:
        ScriptError, AssistantError: a script, or its answers, are wrong.
    """
    for path in place.scripts():
        load_script(path)
    read_answers(place.answers())
    notes = [
        f"the variable {name} is not set; {tool} cannot be called without it."
        for tool, name in _unset(assistant, env)
    ]
    try:
        speech = speech_for(assistant, place.config.speech)
    except ConfigError as error:
        return [*notes, f"{error.field}: {error.message} {error.fix or ''}".strip()]
    realtime = assistant.pipeline == "realtime" or getattr(speech, "pipeline", "") == "realtime"
    if not realtime and speech.llm.provider == "offline" and assistant.flow is None:
        notes.append("it is led by a language model, and this line's speech.llm is offline; calls will fail.")
    if assistant.flow is not None and (realtime or speech.llm.provider != "offline"):
        notes.append("this line has a language model, which follows instructions and not the flow.")
    if "end_call" not in assistant.tools:
        notes.append("without the tool end_call the agent never hangs up.")
    if not place.scripts():
        notes.append(f"it has no script: write {place.path.parent / 'scripts' / place.path.name}.")
    return notes


def _unset(assistant: Assistant, env: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (tool, name)
        for tool, spec in assistant.http_tools.items()
        for name in spec.variables()
        if not env.get(name)
    ]
