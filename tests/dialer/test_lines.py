from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from provisioning.config import load_bytes
from telephony.dialer.lines import Line, lines_of

pytestmark = pytest.mark.pure

FILE = b"""
sip_trunks:
  - {name: in, inbound_only: true, numbers: ["+15550100100"], allowed_addresses: ["127.0.0.1/32"]}
  - {name: out, outbound_only: true, numbers: ["+15550100200"], host: 127.0.0.1, port: 5070, max_calls: 3}
  - {name: digits, outbound_only: true, numbers: ["+15550100300"], host: 127.0.0.1, dial_format: digits}
"""


def test_the_files_outbound_trunks_are_the_lines() -> None:
    """Each trunk that calls go out through is a line, with its numbers, limit and way of dialling."""
    lines = lines_of(load_bytes(FILE, Path("line.yaml"), {}).config)
    assert list(lines) == ["out", "digits"]
    assert lines["out"] == Line("out", ("+15550100200",), max_calls=3)
    assert lines["digits"].dialled("+15550100123") == "15550100123"
    assert lines["out"].dialled("+15550100123") == "+15550100123"


def test_a_caller_id_is_the_calls_own_and_the_pool_is_used_evenly() -> None:
    """The same call always shows the same number; many calls show all of them."""
    line = Line("out", ("+1", "+2", "+3"))
    shown = Counter(line.caller_id(f"call_{number:06d}") for number in range(300))
    assert line.caller_id("call_000001") == line.caller_id("call_000001")
    assert min(shown.values()) > 60
