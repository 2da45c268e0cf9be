from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from provisioning.config import load_config
from telephony.api import cli_guard
from tests.api.asking import asking, settings
from tests.store.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.asking import Asking

pytestmark = pytest.mark.component

FILE = """
sip_trunks:
  - {name: novofon, carrier: novofon-trunk, platform: v2, numbers: ["+74951234567"], max_calls: 5}
outbound:
  enabled: true
  default_region: RU
  allowed_regions: [RU]
  max_calls_per_number_per_day: 1
  per_key: {max_calls_per_day: 10}
"""
MOSCOW = "8 (495) 765-43-21"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An operator's file that allows calls to Russia."""
    path = tmp_path / "line.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
async def line(file: Path, tmp_path: Path) -> AsyncIterator[Asking]:
    """An api that serves that file, on SQLite."""
    url = f"sqlite:///{tmp_path}/record.db"
    migrate(url)
    async with asking(settings(url, tmp_path, config=load_config(file, {}))) as ready:
        yield ready


def failed(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if not check["passed"]}


async def test_the_api_says_what_would_be_decided_and_changes_nothing(line: Asking) -> None:
    """As often as it is asked: the answer is the same, and the audit has nothing of it."""
    for _ in range(3):
        verdict = await line.send("POST", "/v1/guard/explain", 200, {"to": MOSCOW})
        assert verdict["allowed"], failed(verdict)
        assert verdict["number"] == "+74957654321"
    refused = await line.send(
        "POST", "/v1/guard/explain", 200, {"to": "+78091234567", "from": "+74950000000"}
    )
    assert failed(refused) == {"kind", "caller_id"}
    assert not [row for row in (await line.get("/v1/audit"))["entries"] if row["action"].startswith("dial.")]


async def test_a_keys_own_caps_are_explained_to_it_and_to_who_may_see_keys(line: Asking) -> None:
    """A key asks for itself; another's needs keys:read; one that may not dial may not ask either."""
    limits = {"max_calls_per_day": 0}
    body = {"name": "strict", "scopes": ["calls:dial"], "dial_limits": limits}
    strict = await line.send("POST", "/v1/keys", 201, body)
    assert strict["dial_limits"]["max_calls_per_day"] == 0
    own = await line.http.post("/v1/guard/explain", json={"to": MOSCOW}, headers=line.as_key(strict["key"]))
    assert failed(own.json()) == {"key_calls_per_day"}
    asked = await line.send("POST", "/v1/guard/explain", 200, {"to": MOSCOW, "key_id": strict["id"]})
    assert failed(asked) == {"key_calls_per_day"}
    admin = (await line.get("/v1/keys"))["keys"][0]["id"]
    other = await line.http.post(
        "/v1/guard/explain", json={"to": MOSCOW, "key_id": admin}, headers=line.as_key(strict["key"])
    )
    assert other.status_code == 403
    reader = await line.send("POST", "/v1/keys", 201, {"name": "reader", "scopes": ["calls:read"]})
    denied = await line.http.post(
        "/v1/guard/explain", json={"to": MOSCOW}, headers=line.as_key(reader["key"])
    )
    assert denied.status_code == 403


async def test_a_leaked_key_cannot_dial_what_the_file_does_not_allow(line: Asking) -> None:
    """Premium, satellite and foreign numbers are 403 with the setting, and the audit has each attempt."""
    line.service.livekit = line.service.livekit or object()  # type: ignore[assignment]  # nothing gets that far
    leaked = await line.send("POST", "/v1/keys", 201, {"name": "leaked", "scopes": ["calls:dial"]})
    tried = ["+78091234567", "+870773111234", "+18005550123", "+77012345678"]
    for number in tried:
        answer = await line.http.post("/v1/calls", json={"to": number}, headers=line.as_key(leaked["key"]))
        assert answer.status_code == 403, answer.text
        assert answer.json()["code"] == "call_not_allowed"
    rows = [row for row in (await line.get("/v1/audit"))["entries"] if row["key_id"] == leaked["id"]]
    assert [row["action"] for row in rows] == ["dial.refused"] * len(tried)
    assert "8091234567" not in json.dumps(rows)


def explain(*arguments: str, code: int) -> str:
    """Run ``guard explain``; returns what it printed."""
    done = CliRunner().invoke(cli_guard.app, ["explain", *arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout or done.stderr


def test_the_command_decides_by_the_file_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a line: what is allowed is 0, what is not is 1, and the setting is named."""
    monkeypatch.setenv("COLUMNS", "220")
    shown = explain(MOSCOW, "--config", str(file), code=0)
    assert "would be dialled as +74957654321" in shown
    assert "has no plus" in shown
    assert "that every count is zero" in shown.replace("so ", "that ")
    refused = explain("112", "--config", str(file), code=1)
    assert "emergency number" in refused
    verdict = json.loads(explain("+78091234567", "--config", str(file), "--json", code=1))
    assert verdict["refusal"] == "kind"


def test_the_command_asks_when(file: Path, tmp_path: Path) -> None:
    """An instant has a zone; calling hours are those of that instant."""
    tree = yaml.safe_load(FILE)
    tree["outbound"]["calling_hours"] = {"start": "09:00", "end": "20:00"}
    other = tmp_path / "hours.yaml"
    other.write_text(yaml.safe_dump(tree))
    late = json.loads(
        explain(MOSCOW, "--config", str(other), "--at", "2026-11-23T20:30+03:00", "--json", code=1)
    )
    assert late["retry_at"] == "2026-11-24T06:00:00+00:00"
    explain(MOSCOW, "--config", str(other), "--at", "2026-11-23T12:00+03:00", code=0)
    assert "time zone" in explain(MOSCOW, "--config", str(file), "--at", "2026-11-23T12:00", code=1)


def test_the_command_says_when_no_line_can_be_asked(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key's caps are known to the line alone."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRUNKLINE_API_URL", "TRUNKLINE_API_KEY", "TRUNKLINE_DATA"):
        monkeypatch.delenv(name, raising=False)
    assert "API key" in explain(MOSCOW, "--key", "keyofthedialler2", code=1)
    assert file.exists()
