"""Whether providers accept their keys and know their models, asked before the first call.

Each is asked for as little as tells it: a connection that is closed at once, a list of models, one character
of speech. What a provider refuses is told by the setting at fault; one that cannot be reached now may be
there later.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp

from telephony.errors import ConfigError, TrunklineError
from telephony.logs import get_logger
from telephony.speech.cloud_settings import (
    AzureLlmSettings,
    FluxSttSettings,
    HttpTtsSettings,
    OpenAiLlmSettings,
    OpenAiTtsSettings,
    PluginLlmSettings,
    PluginSttSettings,
    PluginTtsSettings,
    WhisperSttSettings,
)
from telephony.speech.keys import key_of, require_key
from telephony.speech.plugin import check_plugin
from telephony.speech.realtime_settings import AzureRealtimeSettings, OpenAiRealtimeSettings
from telephony.speech.section import CloudSection
from telephony.speech.settings import CartesiaTtsSettings, DeepgramSttSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.speech.settings import SpeechSettings

log = get_logger(__name__)

LIMIT_S: Final = 6.0
"""Longest wait for one provider."""
_OPENAI = "https://api.openai.com/v1"
_CARTESIA_VERSION = "2025-04-16"

Outcome = Literal["accepted", "refused", "limited", "unreachable", "unclear"]
"""``limited``: the quota is used up; ``unclear``: it answers, and does not say."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one provider says.

    Attributes:
        path: its place in the file, such as ``speech.stt``.
        provider: whom.
        outcome: how it is.
        field: the setting at fault; ``path`` where none is.
        sentence: what it said, without the key.
        fix: what to do; empty where all is well.
    """

    path: str
    provider: str
    outcome: Outcome
    field: str
    sentence: str
    fix: str = ""


class _RefusedError(Exception):
    """The provider says no: by which of its settings, and how."""

    def __init__(self, status: int, setting: str, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.setting = setting


async def look(
    settings: SpeechSettings, http: aiohttp.ClientSession, env: Mapping[str, str] = os.environ
) -> list[Verdict]:
    """Ask every configured provider behind a network, all at the same time; on the main thread."""
    sections = [(f"speech.{key}", each) for key, each in settings.chosen() if isinstance(each, CloudSection)]
    return list(await asyncio.gather(*(_verdict(path, each, http, env) for path, each in sections)))


async def check_providers(settings: SpeechSettings, env: Mapping[str, str] = os.environ) -> list[Verdict]:
    """Ask all of them, and refuse to begin where a stage has nobody who could serve a call.

    Raises:
        ConfigError: a provider refuses its key or model, and nobody stands in for it; names the setting.
    """
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        verdicts = await look(settings, http, env)
    served = {_stage(verdict.path) for verdict in verdicts if verdict.outcome != "refused"}
    served |= {_stage(key) for key, each in settings.chosen() if not isinstance(each, CloudSection)}
    for verdict in verdicts:
        if verdict.outcome == "accepted":
            log.info("provider_accepted", setting=verdict.path, provider=verdict.provider)
            continue
        why = verdict.sentence
        log.warning("provider_not_accepted", setting=verdict.field, outcome=verdict.outcome, reason=why)
        if verdict.outcome == "refused" and _stage(verdict.path) not in served:
            raise ConfigError(verdict.sentence, field=verdict.field, fix=verdict.fix)
    return verdicts


def _stage(path: str) -> str:
    return path.rpartition(".")[2]


async def _verdict(path: str, section: Any, http: aiohttp.ClientSession, env: Mapping[str, str]) -> Verdict:
    name = _name(section)
    try:
        async with asyncio.timeout(LIMIT_S):
            known = await _ask(path, section, http, env)
    except _RefusedError as refused:
        return _refusal(path, name, section, refused)
    except TrunklineError as error:
        return Verdict(path, name, "refused", error.field or path, error.message, error.fix or "")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"{name} cannot be reached: {str(error) or type(error).__name__}."
        return Verdict(path, name, "unreachable", path, text, "See the network.")
    return Verdict(
        path, name, "accepted", path, f"{name} accepts the key{' and the model' if known else ''}."
    )


def _refusal(path: str, name: str, section: Any, refused: _RefusedError) -> Verdict:
    status, said = refused.status, str(refused)
    shown = f" ({status})" if status else ""
    if refused.setting == "api_key":
        fix = f"Correct it, or {section.key_variable}." if section.key_variable else "Correct it."
        return Verdict(path, name, "refused", f"{path}.api_key", f"{name} refuses the key{shown}.", fix)
    if status in {402, 429}:
        text = f"{name} accepts the key, and its quota is used up{shown}."
        return Verdict(path, name, "limited", path, text, "Raise the quota, or wait.")
    if status >= 500 or not refused.setting:
        text = f"{name} answers {status} to a question that needs the key only."
        return Verdict(path, name, "unclear", path, text, "See its status page.")
    value = getattr(section, refused.setting, "")
    text = f"{name} does not know {refused.setting} {value}{shown}."
    return Verdict(path, name, "refused", f"{path}.{refused.setting}", text, said or "Correct it.")


def _name(section: Any) -> str:
    names = {"deepgram": "Deepgram", "deepgram-flux": "Deepgram", "cartesia": "Cartesia", "azure": "Azure"}
    if isinstance(section, PluginSttSettings | PluginLlmSettings | PluginTtsSettings):
        return section.plugin
    if section.provider in names:
        return names[section.provider]
    root = (
        getattr(section, "root", None) or getattr(section, "base_url", None) or getattr(section, "url", None)
    )
    host = urlsplit(root or _OPENAI).netloc
    return "OpenAI" if host == "api.openai.com" else host


# What each is asked; whether the answer says that the model is known


async def _ask(path: str, section: Any, http: aiohttp.ClientSession, env: Mapping[str, str]) -> bool:
    match section:
        case PluginSttSettings() | PluginLlmSettings() | PluginTtsSettings():
            check_plugin(section, path)
            return False
        case DeepgramSttSettings() | FluxSttSettings():
            return await _deepgram(section, require_key(section, path, env), http)
        case CartesiaTtsSettings():
            return await _cartesia(section, require_key(section, path, env), http)
        case OpenAiLlmSettings():
            return await _models(section, section.root, require_key(section, path, env), http)
        case WhisperSttSettings() | OpenAiTtsSettings():
            return await _models(section, section.base_url, require_key(section, path, env), http)
        case AzureLlmSettings():
            return await _azure(section, require_key(section, path, env), http)
        case OpenAiRealtimeSettings() | AzureRealtimeSettings():
            return await _realtime(section, require_key(section, path, env), http)
        case HttpTtsSettings():
            return await _own_voice(section, key_of(section, env), http)
    return False


def _judge(status: int, setting: str) -> None:
    if status in {401, 403}:
        raise _RefusedError(status, "api_key")
    if status in {400, 404, 422}:
        raise _RefusedError(status, setting)
    if status >= 400:
        raise _RefusedError(status, "")


async def _deepgram(
    section: DeepgramSttSettings | FluxSttSettings, key: str, http: aiohttp.ClientSession
) -> bool:
    asked = {"model": section.model, "encoding": "linear16", "sample_rate": str(section.sample_rate)}
    if isinstance(section, DeepgramSttSettings):
        asked["language"] = section.language
    headers = {"Authorization": f"Token {key}"}
    try:
        async with http.ws_connect(section.base_url, params=asked, headers=headers) as socket:
            await socket.send_json({"type": "CloseStream"})
    except aiohttp.WSServerHandshakeError as error:
        _judge(error.status, "model")
        raise
    return True


async def _cartesia(section: CartesiaTtsSettings, key: str, http: aiohttp.ClientSession) -> bool:
    asked = {
        "model_id": section.model,
        "transcript": "a",
        "voice": {"mode": "id", "id": section.voice},
        "language": section.language,
        "output_format": {
            "container": "raw",
            "encoding": "pcm_s16le",
            "sample_rate": section.sample_rate,
        },
    }
    headers = {"X-API-Key": key, "Cartesia-Version": _CARTESIA_VERSION}
    url = f"{_http(section.base_url).rstrip('/')}/tts/bytes"
    async with http.post(url, json=asked, headers=headers) as answer:
        said = (await answer.text()).lower() if answer.status >= 400 else ""
        _judge(answer.status, "voice" if "voice" in said and "model" not in said else "model")
    return True


async def _models(section: Any, root: str | None, key: str, http: aiohttp.ClientSession) -> bool:
    base = (root or os.environ.get("OPENAI_BASE_URL") or _OPENAI).rstrip("/")
    async with http.get(f"{base}/models", headers={"Authorization": f"Bearer {key}"}) as answer:
        if answer.status == 404:
            # It has no such list; that the key was looked at is more than is known.
            return False
        _judge(answer.status, "")
        try:
            told = json.loads(await answer.text())
            known = [str(each["id"]) for each in told["data"]]
        except (ValueError, KeyError, TypeError):
            return False
    if not known:
        return False
    if not any(each == section.model or each.endswith(f"/{section.model}") for each in known):
        near = difflib.get_close_matches(section.model, known, n=1)
        raise _RefusedError(
            0, "model", f"Did you mean {near[0]}?" if near else f"It has {', '.join(known[:5])}."
        )
    return True


async def _azure(section: AzureLlmSettings, key: str, http: aiohttp.ClientSession) -> bool:
    root = f"{_http(section.endpoint).rstrip('/')}/openai/deployments/{section.deployment}"
    url = f"{root}/chat/completions?api-version={section.api_version}"
    # Nothing is asked, so that nothing is answered: what is refused first is what is wrong first.
    async with http.post(url, json={}, headers={"api-key": key}) as answer:
        if answer.status != 400:
            _judge(answer.status, "deployment")
    return True


async def _realtime(
    section: OpenAiRealtimeSettings | AzureRealtimeSettings, key: str, http: aiohttp.ClientSession
) -> bool:
    setting = "deployment" if isinstance(section, AzureRealtimeSettings) else "model"
    url, headers = _realtime_address(section, key)
    try:
        async with http.ws_connect(url, headers=headers) as socket:
            first = await socket.receive(timeout=LIMIT_S)
    except aiohttp.WSServerHandshakeError as error:
        _judge(error.status, setting)
        raise
    told = first.json() if first.type is aiohttp.WSMsgType.TEXT else {}
    if told.get("type") == "error":
        code = str((told.get("error") or {}).get("code"))
        if code == "insufficient_quota":
            raise _RefusedError(429, "")
        raise _RefusedError(0, "api_key" if code == "invalid_api_key" else setting)
    return True


def _realtime_address(
    section: OpenAiRealtimeSettings | AzureRealtimeSettings, key: str
) -> tuple[str, dict[str, str]]:
    if isinstance(section, OpenAiRealtimeSettings):
        url = f"{section.base_url.rstrip('/')}/realtime?model={section.model}"
        return url, {"Authorization": f"Bearer {key}"}
    root = f"{section.endpoint.rstrip('/')}/openai"
    if section.api_version is None:
        return f"{root}/v1/realtime?model={section.deployment}", {"api-key": key}
    asked = f"api-version={section.api_version}&deployment={section.deployment}"
    return f"{root}/realtime?{asked}", {"api-key": key}


async def _own_voice(section: HttpTtsSettings, key: str | None, http: aiohttp.ClientSession) -> bool:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        if urlsplit(section.url).scheme in {"ws", "wss"}:
            async with http.ws_connect(section.url, headers=headers):
                return False
        asked = {
            "text": "a",
            "voice": section.voice,
            "language": section.language,
            "sample_rate": section.sample_rate,
        }
        async with http.post(section.url, json=asked, headers=headers) as answer:
            _judge(answer.status, "url")
    except aiohttp.WSServerHandshakeError as error:
        _judge(error.status, "url")
        raise
    return False


def _http(url: str) -> str:
    """An URL with the scheme of ordinary requests."""
    return url.replace("ws", "http", 1) if url.startswith("ws") else url
