from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from telephony.calls.events import Event
from tests.api.asking import from_sources
from tests.api.commands import APPS, as_json, commanded_api, run
from tests.calls.calls import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.threaded import ThreadedApi

pytestmark = pytest.mark.component


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedApi]:
    """An api with an ended call and an open one, which the environment leads to."""
    with commanded_api(tmp_path, monkeypatch) as running:
        yield running


@pytest.mark.usefixtures("api")
def test_calls_are_listed_and_one_is_told() -> None:
    """The list has both calls; one of them reads as a conversation with its end and what is missing."""
    listed = run("calls")
    assert "call_abcdef" in listed
    assert "call_opened" in listed
    assert "call_opened" not in run("calls", "--outcome", "answered")
    assert "call_abcdef" not in run("calls", "--live")
    told = run("calls", "show", "call_abcdef")
    for words in (
        "+15550100123",
        "rings",
        "200 OK: PCMU",
        "Hello.",
        "Friday.",
        "The visit is booked.",
        "MOS",
    ):
        assert words in told
    assert "missing  name" in told
    whole = as_json("calls", "show", "call_abcdef")
    assert [each["seq"] for each in whole["events"]] == list(range(1, 11))
    assert as_json("calls")["calls"][0]["id"] == "call_opened"
    assert "caller: Friday." in run("calls", "transcript", "call_abcdef")


def test_nothing_a_caller_says_is_taken_for_markup(api: ThreadedApi) -> None:
    """Brackets and escape sequences in a turn are shown as they are, or as blanks."""
    nasty = "[red]\x1b[31m[/] [link=http://x]y"
    said = Event("call_nasty1", "job", 1, "turn.completed", START, {"who": "caller", "text": nasty})
    api.do(lambda asking: asking.hand_in([said]))
    told = run("calls", "show", "call_nasty1")
    assert "[red]" in told
    assert "\x1b" not in told


@pytest.mark.usefixtures("api")
def test_a_call_is_deleted_only_when_meant() -> None:
    """Without a yes nothing is deleted; an open call is refused with a fix."""
    run("calls", "delete", "call_abcdef", answer="n\n", code=1)
    assert "call_abcdef" in run("calls")
    run("calls", "delete", "call_opened", "--yes", code=1)
    run("calls", "delete", "call_abcdef", "--yes")
    assert "call_abcdef" not in run("calls")


def test_endpoints_are_made_tested_and_replayed(api: ThreadedApi) -> None:
    """An endpoint nobody answers at fails its test with exit code 1, and its dead letters are counted."""
    made = as_json("webhooks", "create", "http://127.0.0.1:1/", "--type", "call.ended")
    assert made["secret"].startswith("whsec_")
    failed = as_json("webhooks", "test", made["id"], code=1)
    assert failed["error"] == "The receiver cannot be reached."
    assert "cannot be reached" in run("webhooks", "test", made["id"], code=1)
    api.do(lambda asking: asking.hand_in(from_sources("call_second")))
    deadline = time.monotonic() + 20
    while not (dead := as_json("webhooks", "deliveries", "--status", "dead")["deliveries"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert dead[0]["type"] == "call.ended"
    assert as_json("webhooks", "replay", "--endpoint", made["id"], "--dead")["queued"] == 1
    assert as_json("webhooks", "rotate", made["id"])["secret"] != made["secret"]
    assert "off" in run("webhooks", "disable", made["id"])
    assert "on" in run("webhooks", "enable", made["id"])
    assert made["id"] in run("webhooks")
    run("webhooks", "delete", made["id"])
    assert made["id"] not in run("webhooks")
    assert json.loads(run("webhooks", "secret")).startswith("whsec_")


def test_listening_prints_verified_events_and_ends_with_ctrl_c(api: ThreadedApi) -> None:
    """Events appear as they come, forwarded on request, until the developer stops it."""
    command = (
        "from telephony.api.cli_webhooks import app; app(['listen', '--output', 'json', '--type', 'call.*'])"
    )
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output, lines = process.stdout, list[str]()
        reader = threading.Thread(target=lambda: lines.extend(iter(output.readline, "")))
        reader.start()
        deadline = time.monotonic() + 30
        number = 0
        while len(lines) < 5:
            assert time.monotonic() < deadline
            events = from_sources(f"call_heard{number:02d}")
            api.do(lambda asking, events=events: asking.hand_in(events))  # type: ignore[misc]
            number += 1
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
        reader.join(5)
    heard = [json.loads(line) for line in lines]
    assert {each["type"].split(".")[0] for each in heard} == {"call"}


@pytest.mark.usefixtures("api")
def test_keys_are_made_listed_and_revoked() -> None:
    """A key is shown once, works within its scopes, and is worthless once revoked."""
    made = as_json("keys", "create", "reports", "--scope", "calls:read")
    assert made["key"].startswith("tlk_")
    assert "reports" in run("keys")
    assert made["key"] not in run("keys")
    run("keys", "revoke", made["id"])
    assert "revoked" in run("keys")
    run("keys", "create", "x", "--scope", "everything", code=2)


def test_what_goes_wrong_is_one_sentence(
    api: ThreadedApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No such call, a wrong key, no api, no key: exit code 1 with a reason and no traceback."""
    assert "There is no such call" in run("calls", "show", "call_unknown1", code=1)
    with monkeypatch.context() as patch:
        patch.setenv("TRUNKLINE_API_KEY", "tlk_wrong")
        assert "not valid" in run("calls", code=1)
        patch.setenv("TRUNKLINE_API_URL", "http://127.0.0.1:1")
        assert "does not answer" in run("calls", code=1)
        patch.delenv("TRUNKLINE_API_KEY")
        patch.delenv("TRUNKLINE_API_URL")
        patch.chdir(tmp_path)
        assert "no API key" in run("calls", code=1)
    ready = tmp_path / "var" / "line" / "ready"
    ready.mkdir(parents=True)
    (ready / "api.json").write_text(json.dumps({"host": "127.0.0.1", "port": int(api.base.split(":")[-1])}))
    (ready.parent / "keys").mkdir()
    (ready.parent / "keys" / "admin.key").write_text(api.key)
    with monkeypatch.context() as patch:
        patch.delenv("TRUNKLINE_API_KEY")
        patch.delenv("TRUNKLINE_API_URL")
        patch.chdir(tmp_path)
        assert "call_abcdef" in run("calls")


def test_no_command_is_a_coroutine() -> None:
    """Typer never awaits one, and would exit 0 without having done anything."""
    for app in APPS.values():
        for command in app.registered_commands:
            assert not inspect.iscoroutinefunction(command.callback)
