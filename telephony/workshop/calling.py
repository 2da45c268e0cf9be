"""An assistant's scripts over the telephone: a line of its own, a real SIP call for each, the record read.

The line's file is the operator's, with every number answered by this assistant; speech and everything else
stay as they are there. HTTP tools, and a language model that the line lacks, are simulated on this machine.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from telephony.assistants.pipeline import speech_for
from telephony.caller.run import run_script
from telephony.line.line import Line, LineOptions
from telephony.line.record import events_of, recorded_outcome
from telephony.speech.client import SpeechClient
from telephony.workshop.outside import pointed_at, read_answers, simulated
from telephony.workshop.play import wrong_fields
from telephony.workshop.spoken_model import SpokenModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from telephony.assistants.schema import Assistant
    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport
    from telephony.caller.script import Script
    from telephony.workshop.place import Place

_RECORD_WAIT_S = 10.0
_BARE: dict[str, Any] = {
    "livekit": {
        "url": "${LIVEKIT_URL}",
        "api_key": "${LIVEKIT_API_KEY}",
        "api_secret": "${LIVEKIT_API_SECRET}",
    },
    "redis": {"address": "${REDIS_ADDRESS}", "password": "${REDIS_PASSWORD:-}"},
    "sip_trunks": [
        {
            "name": "test",
            "inbound_only": True,
            "numbers": ["+15550100100"],
            "allowed_addresses": ["127.0.0.1/32"],
        }
    ],
    "routing": {
        "inbound_rules": [
            {
                "name": "test",
                "trunks": ["test"],
                "rule": {"dispatch_rule_individual": {"room_prefix": "call"}},
                "room_config": {"empty_timeout": "10s", "departure_timeout": "2s"},
            }
        ]
    },
}
"""The line of those who have no file yet."""


class CalledLine:
    """A running line that this assistant answers."""

    def __init__(self, line: Line, to: str, language: str) -> None:
        self._line = line
        self._to = to
        self._language = language

    async def call(
        self,
        script: Script,
        *,
        folder: Path | None = None,
        on_event: Callable[[CallerEvent], None] | None = None,
    ) -> tuple[CallReport, list[str], dict[str, Any]]:
        """Make one call; its report, what else is wrong by its record, and the fields that it brought in.

        The caller speaks the assistant's language, unless the script names another.
        """
        script = _in_language(script, self._language)
        async with await SpeechClient.connect(self._line.speech_socket) as speech:
            report = await run_script(script, self._to, speech=speech, report_dir=folder, on_event=on_event)
        spool = self._line.data.events
        outcome = await recorded_outcome(spool, report.sip_call_id, wait_s=_RECORD_WAIT_S)
        fields: dict[str, Any] = {}
        for event in events_of(spool, report.sip_call_id):
            if event.type == "fields.collected":
                fields |= {name: told.get("value") for name, told in event.data["fields"].items()}
        wrong = (
            [] if outcome == "answered" else [f"the call's record says {outcome or 'nothing'}, not answered"]
        )
        return report, [*wrong, *wrong_fields(script, fields)], fields


def _in_language(script: Script, language: str) -> Script:
    if "language" in script.settings.model_fields_set:
        return script
    settings = script.settings.model_copy(update={"language": language})
    return script.model_copy(update={"settings": settings})


@contextlib.asynccontextmanager
async def line_for(
    place: Place, assistant: Assistant, *, on_step: Callable[[str, float], None] = lambda *_: None
) -> AsyncIterator[CalledLine]:
    """Start a line that this assistant answers.

    Raises:
        ConfigError, StartError: it does not start; nothing is left running.
    """
    spoken = SpokenModel(assistant.language) if _lacks_realtime(place, assistant) else None
    if spoken is None:
        speech_for(assistant, place.config.speech)
    async with simulated(read_answers(place.answers()), spoken) as root:
        with tempfile.TemporaryDirectory(prefix="trunkline-test-") as folder:
            config = write_line(place, assistant, Path(folder), root)
            line = Line(
                LineOptions(config, Path(folder) / "data", sip_port=0, api_port=None), on_step=on_step
            )
            try:
                info = await line.start()
                if spoken is not None:
                    spoken.socket = line.speech_socket
                yield CalledLine(line, info.sip, assistant.language)
            finally:
                await line.stop()


def _lacks_realtime(place: Place, assistant: Assistant) -> bool:
    """Whether the assistant wants a model that hears and speaks, and the line has none."""
    return assistant.pipeline == "realtime" and place.config.speech.realtime is None


def write_line(place: Place, assistant: Assistant, folder: Path, root: str) -> Path:
    """Write the line's file and the assistant's, as they are tried.

    Args:
        root: of the simulated servers.
    """
    assistants = folder / "assistants"
    assistants.mkdir()
    tried = pointed_at(assistant, root).model_dump(mode="json", by_alias=True, exclude_unset=True)
    for datum in tried.get("data", {}).values():
        # Nobody brings the call's data along, so the file's examples stand for it, as in a trial by text.
        datum["default"] = datum.get("example") or datum.get("default")
    written = yaml.safe_dump(tried, allow_unicode=True, sort_keys=False)
    (assistants / place.path.name).write_text(written, encoding="utf-8")
    tree = (
        _BARE if place.config_path is None else yaml.safe_load(place.config_path.read_text(encoding="utf-8"))
    )
    own: dict[str, Any] = {"directory": str(assistants), "default": place.name}
    networks = {"allowed_networks": ["127.0.0.0/8"]} if assistant.http_tools else {}
    rules = [{**rule, "assistant": place.name} for rule in tree["routing"]["inbound_rules"]]
    speech = dict(tree.get("speech") or {})
    if assistant.flow is None and place.config.speech.llm.provider == "offline":
        speech["llm"] = {"provider": "openai", "base_url": f"{root}/v1"}
    if _lacks_realtime(place, assistant):
        speech["realtime"] = {"provider": "openai", "base_url": f"{root}/v1", "api_key": "simulated"}
    changed = {
        **tree,
        "assistants": {**(tree.get("assistants") or {}), **own, **networks},
        "routing": {**tree["routing"], "inbound_rules": rules},
        # There is one call at a time: more processes that wait for theirs only take the processors from it.
        "agent": {**(tree.get("agent") or {}), "idle_processes": 1},
        "speech": speech,
    }
    path = folder / "line.yaml"
    path.write_text(yaml.safe_dump(changed, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
