"""The commands as a newcomer and as ops at 3 a.m. see them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.sample import CONFIG, ROOT, sample_file
from tests.processes import all_gone, family

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

SPEECH = {
    "stt": {"provider": "timed"},
    "llm": {"provider": "timed"},
    "tts": {"provider": "timed"},
    "vad": {"provider": "bundled"},
}
"""Of lines that are only looked at: without models to load."""
TRUNKLINE = [sys.executable, "-m", "telephony.cli"]


def run(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*TRUNKLINE, *arguments], capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, check=False
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a command that stays."""
    return subprocess.Popen(
        [*TRUNKLINE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def start_line(folder: Path, *arguments: str, **sections: Any) -> subprocess.Popen[str]:
    """Start the sample line with its data in a folder; nobody calls it.

    Args:
        sections: of its file, in place of the shipped ones.
    """
    folder.mkdir(exist_ok=True)
    config = sample_file(folder / "livekit-sip.yaml", warm=1, **sections)
    return start("up", "--json", "--config", str(config), "--data", str(folder / "line"), *arguments)


def first_line(process: subprocess.Popen[str]) -> dict[str, object]:
    """The JSON object that a line prints when it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    loaded: dict[str, object] = json.loads(line)
    return loaded


def test_the_demo_is_one_json_object(tmp_path: Path) -> None:
    """The last line of standard output has the figures; the exit code says that the call went well."""
    done = run("demo", "--json", "--data", str(tmp_path / "line"), "--script", "hello")
    assert done.returncode == 0, done.stderr + done.stdout
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert verdict["ok"] is True
    assert verdict["outcome"] == "answered"
    for name in ("invite_to_ringing_ms", "invite_to_answer_ms", "answer_to_first_audio_ms"):
        assert verdict[name] > 0
    assert verdict["turns"]
    assert (tmp_path / "line" / "calls").is_dir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_line_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop every process, and the exit code is 0."""
    line = start_line(tmp_path, "--sip-port", "0")
    info = first_line(line)
    pids = family(list(info["pids"].values()))  # type: ignore[attr-defined]
    line.send_signal(number)
    _, said = line.communicate(timeout=30)
    assert line.returncode == 0, said
    assert all_gone(pids)


def test_the_record_can_be_served_beside_the_line(tmp_path: Path) -> None:
    """With --api-port the line says where its api is, and that answers; without a key it tells nothing."""
    line = start_line(tmp_path, "--sip-port", "0", "--api-port", "0", speech=SPEECH)
    try:
        address = str(first_line(line)["api"])
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/v1/calls", timeout=10)
        assert refused.value.code == 401
        refused.value.close()
    finally:
        line.send_signal(signal.SIGINT)
        line.communicate(timeout=30)


def test_a_line_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """Even SIGKILL of the supervisor takes every process with it."""
    line = start_line(tmp_path, "--sip-port", "0")
    info = first_line(line)
    pids = family(list(info["pids"].values()))  # type: ignore[attr-defined]
    line.kill()
    line.communicate(timeout=30)
    assert all_gone(pids)


def test_two_lines_run_side_by_side(tmp_path: Path) -> None:
    """A second line takes other ports by itself."""
    lines = [start_line(tmp_path / name, speech=SPEECH) for name in ("one", "two")]
    try:
        first, second = (first_line(line) for line in lines)
        assert first["sip"] != second["sip"]
        assert first["livekit_url"] != second["livekit_url"]
    finally:
        for line in lines:
            line.send_signal(signal.SIGINT)
        for line in lines:
            line.communicate(timeout=30)


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    """The flag, the port and what to do; exit code 1 and nothing started."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        done = run("up", "--sip-port", str(port), "--data", str(tmp_path / "line"))
    assert done.returncode == 1
    assert "--sip-port" in done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_file_names_every_mistake(tmp_path: Path) -> None:
    """Line and column of each, the nearest known key, exit code 1, nothing started."""
    wrong = tmp_path / "line.yaml"
    wrong.write_text(
        CONFIG.read_text()
        .replace("sip_port: 5060", "sip_prot: 5060")
        .replace("max_calls: 10", "max_calls: many")
    )
    done = run("up", "--config", str(wrong), "--data", str(tmp_path / "line"))
    assert done.returncode == 1
    assert "sip_prot" in done.stderr
    assert "sip_port" in done.stderr
    assert "max_calls" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_a_clear_sentence(tmp_path: Path) -> None:
    """No traceback for a path that is not there."""
    done = run("up", "--config", str(tmp_path / "nowhere.yaml"), "--data", str(tmp_path / "line"))
    assert done.returncode == 1
    assert "nowhere.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_program_says_what_installs_it(tmp_path: Path) -> None:
    """Without Redis on the path the part and the remedy are named, and nothing is left running."""
    path = tmp_path / "bin"
    path.mkdir()
    environment = {**os.environ, "PATH": str(path)}
    done = subprocess.run(
        [*TRUNKLINE, "up", "--data", str(tmp_path / "line")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert done.returncode == 1
    assert "redis" in done.stderr
    assert "scripts/setup" in done.stderr
    assert "Traceback" not in done.stderr
