"""What an import costs: checking a file or asking the engine loads neither LiveKit nor a model."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.component

HEAVY = (
    "livekit",
    "ctranslate2",
    "onnxruntime",
    "tokenizers",
    "hibari",
    "faster_whisper",
    "openai",
    "aiohttp",
)


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after a statement."""
    program = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    "module",
    [
        "telephony.speech",
        "telephony.speech.settings",
        "telephony.speech.client",
        "telephony.speech.engine_link",
    ],
)
def test_settings_and_client_are_light(module: str) -> None:
    """Neither LiveKit nor a model nor an HTTP client is loaded."""
    assert not loaded_by(f"import {module}") & set(HEAVY)


def test_the_engine_knows_nothing_of_livekit() -> None:
    """The engine's process loads its models only when it starts, and LiveKit never."""
    assert not loaded_by("import telephony.speech.engine") & set(HEAVY)


def test_an_offline_line_loads_no_clouds_plugin() -> None:
    """Plugins that are not configured are not imported with the providers."""
    program = (
        "import sys, telephony.speech.providers\n"
        "print([m for m in sys.modules if m.startswith('livekit.plugins.')])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
