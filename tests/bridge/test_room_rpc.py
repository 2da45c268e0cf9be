"""What the room asks a phone's participant, as JSON."""

from __future__ import annotations

import json

import pytest

from telephony.bridge.room_rpc import end_call_headers, remote_headers

pytestmark = pytest.mark.pure

HEADERS = [("X-One", "1"), ("x-one", "again"), ("From", "<sip:a@b>"), ("Proxy-Authorization", "secret")]


def test_a_bye_may_be_given_headers() -> None:
    """Those that are the bridge's own are left out, what breaks a line is cleaned."""
    payload = json.dumps({"headers": {"X-Why": "done\r\nX: y", "Via": "no"}})
    assert end_call_headers(payload) == {"X-Why": "doneX: y"}
    assert end_call_headers("") == end_call_headers("{}") == {}


@pytest.mark.parametrize("payload", ["[]", "nonsense", '{"headers": {"a": 1}}'])
def test_nonsense_is_refused(payload: str) -> None:
    """With a sentence for whoever asked."""
    with pytest.raises(ValueError, match=r".+"):
        end_call_headers(payload)


def test_remote_headers_are_told() -> None:
    """The first line of each name; never credentials."""
    assert json.loads(remote_headers("", HEADERS)) == {"headers": {"X-One": "1", "From": "<sip:a@b>"}}


def test_remote_headers_can_be_chosen() -> None:
    """By name in any case."""
    only = json.dumps({"include": ["x-ONE"]})
    assert json.loads(remote_headers(only, HEADERS)) == {"headers": {"X-One": "1"}}
    without = json.dumps({"exclude": ["from"]})
    assert json.loads(remote_headers(without, HEADERS)) == {"headers": {"X-One": "1"}}
    with pytest.raises(ValueError, match="include"):
        remote_headers('{"include": "x"}', HEADERS)


def test_an_answer_is_bounded() -> None:
    """LiveKit carries no more than 15 KiB."""
    many = [(f"X-{number}", "v" * 900) for number in range(50)]
    assert len(remote_headers("", many)) < 15_000
