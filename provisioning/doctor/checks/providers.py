"""Speech providers: is there a key, and is it accepted. One cheap request each, nothing is used up."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from provisioning.doctor.finding import Finding, ok, problem, warning
from provisioning.doctor.reason import reason_of
from telephony.speech.cloud_settings import OpenAiLlmSettings
from telephony.speech.settings import CartesiaTtsSettings, DeepgramSttSettings

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_OPENAI = "https://api.openai.com/v1"
_CARTESIA_VERSION = "2025-04-16"
_REFUSED = {401, 403}


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a provider."""

    check: str
    provider: str
    variable: str
    key: str | None
    url: str
    headers: dict[str, str]


async def keys(patient: Patient) -> list[Finding]:
    """Every provider of the file that needs a key."""
    questions = []
    for key, section in patient.config.speech.chosen():
        match section:
            case DeepgramSttSettings():
                questions.append(_deepgram(f"speech.{key}", section))
            case OpenAiLlmSettings():
                questions.append(_openai(f"speech.{key}", section))
            case CartesiaTtsSettings():
                questions.append(_cartesia(f"speech.{key}", section))
    if not questions:
        return [ok("speech", "speech is offline: no key is needed.")]
    return list(await asyncio.gather(*(_ask(patient, question) for question in questions)))


def _key_of(settings: DeepgramSttSettings | OpenAiLlmSettings | CartesiaTtsSettings) -> str | None:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    return os.environ.get(settings.api_key_variable)


def _root(url: str) -> str:
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}"


def _deepgram(path: str, settings: DeepgramSttSettings) -> _Question:
    key = _key_of(settings)
    url = f"{_root(settings.base_url)}/v1/projects"
    headers = {"Authorization": f"Token {key}"}
    return _Question(path, "Deepgram", settings.api_key_variable, key, url, headers)


def _openai(path: str, settings: OpenAiLlmSettings) -> _Question:
    key = _key_of(settings)
    base = (settings.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI).rstrip("/")
    name = "OpenAI" if base == _OPENAI else urlsplit(base).netloc
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return _Question(path, name, settings.api_key_variable, key, f"{base}/models", headers)


def _cartesia(path: str, settings: CartesiaTtsSettings) -> _Question:
    key = _key_of(settings)
    headers = {"X-API-Key": key or "", "Cartesia-Version": _CARTESIA_VERSION}
    url = f"{_root(settings.base_url)}/voices?limit=1"
    return _Question(path, "Cartesia", settings.api_key_variable, key, url, headers)


async def _ask(patient: Patient, question: _Question) -> Finding:
    local = urlsplit(question.url).hostname in {"127.0.0.1", "localhost", "::1"}
    if not question.key and not local:
        text = f"there is no key for {question.provider}: the first call will fail."
        return problem(
            question.check, text, f"Set {question.variable} in .env.local, or api_key in the file."
        )
    try:
        async with patient.http.get(question.url, headers=question.headers) as answer:
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"{question.provider} cannot be reached: {reason_of(error)}."
        return problem(question.check, text, "See the network.")
    if status in _REFUSED:
        text = f"{question.provider} refuses the key ({status})."
        return problem(question.check, text, f"Correct {question.variable}, or api_key in the file.")
    if status >= 400:
        text = f"{question.provider} answers {status} to a question that needs the key only."
        return warning(question.check, text, "See its status page.")
    return ok(question.check, f"{question.provider} accepts the key.")
