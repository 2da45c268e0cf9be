"""What docs/records.md tells a developer to do works as it stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from telephony.calls.cost import PriceTable, cost_of
from telephony.webhooks.signing import new_secret, signed_headers

pytestmark = pytest.mark.pure

PAGE = (Path(__file__).parent.parent.parent / "docs" / "records.md").read_text()


def block(language: str) -> str:
    """The first block of code of a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_ten_lines_verify_what_is_sent() -> None:
    """A delivery as we sign it, also while a secret is replaced; nothing changed, forged or old."""
    names: dict[str, Any] = {}
    exec(block("python"), names)
    verify = names["verify"]
    assert len(block("python").strip().splitlines()) <= 12
    old, new = new_secret(), new_secret()
    body, now = '{"type":"call.ended","cause":"Schönen Tag"}'.encode(), datetime.now(UTC)
    headers = signed_headers("evt_a_1", body, at=now, signing_secrets=[new, old])
    assert verify(body, headers, new)
    assert verify(body, headers, old)
    assert not verify(body + b" ", headers, new)
    assert not verify(body, headers, new_secret())
    assert not verify(body, {**headers, "webhook-id": "evt_a_2"}, new)
    long_ago = signed_headers(
        "evt_a_1", body, at=datetime.fromtimestamp(1_000_000, UTC), signing_secrets=[new]
    )
    assert not verify(body, long_ago, new)


def test_the_price_table_is_one() -> None:
    """It is read, and prices what a call uses."""
    table = PriceTable.model_validate(yaml.safe_load(block("yaml")))
    used = [{"provider": "cartesia", "model": "sonic-3", "kind": "tts", "characters": 1000}]
    cost = cost_of(table, used, direction="inbound", far_number="+15550100123", talk_s=61)
    assert cost is not None
    assert cost["total_micros"] == 8_000 + 38_000


def test_every_command_of_the_page_is_there() -> None:
    """Each trunkline command and option that it names."""
    from typer.testing import CliRunner

    from telephony.api import cli_calls, cli_keys, cli_webhooks

    apps = {"calls": cli_calls.app, "webhooks": cli_webhooks.app, "keys": cli_keys.app}
    named = set(re.findall(r"trunkline (calls|webhooks|keys) ([a-z]+)", PAGE))
    assert len(named) >= 6
    for app, command in named:
        assert CliRunner().invoke(apps[app], [command, "--help"]).exit_code == 0, command
