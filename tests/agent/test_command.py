"""A worker that cannot start says why in one sentence and exits with 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component

KEYS = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret-of-more-than-thirty-two-characters"}


def run(**env: str) -> subprocess.CompletedProcess[str]:
    ours = ("LIVEKIT", "TRUNKLINE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "telephony.agent"],
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_key_it_says_which_variable() -> None:
    """Nothing is guessed."""
    result = run()
    assert result.returncode == 1
    assert "LIVEKIT_API_KEY is not set" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_file_is_told_with_its_line(tmp_path: Path) -> None:
    """The operator's mistakes are named before anything starts."""
    config = tmp_path / "line.yaml"
    config.write_text("agent: {nmae: desk}\n")
    result = run(TRUNKLINE_CONFIG=str(config), **KEYS)
    assert result.returncode == 1
    assert "line.yaml:1:9: agent.nmae" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_provider_without_its_key_is_told(tmp_path: Path) -> None:
    """A worker that could not serve a single call does not start."""
    config = tmp_path / "line.yaml"
    config.write_text("speech: {tts: {provider: cartesia}}\n")
    result = run(TRUNKLINE_CONFIG=str(config), CARTESIA_API_KEY="", **KEYS)
    assert result.returncode == 1
    assert "CARTESIA_API_KEY" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_health_port_is_told() -> None:
    """The port is named, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(TRUNKLINE_WORKER_PORT=str(port), LIVEKIT_URL="ws://127.0.0.1:1", **KEYS)
    assert result.returncode == 1
    assert f"port {port} is in use" in result.stderr
    assert "Traceback" not in result.stderr
