"""The files the parts are started with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from telephony.line.files import livekit_server, livekit_sip
from telephony.line.ports import Ports

pytestmark = pytest.mark.pure

PORTS = Ports(
    redis=1, livekit=2, livekit_rtc_tcp=3, livekit_rtc_udp=4, worker=5, dispatch=8, sip=6, bridge_health=7
)


def test_livekit_server_stays_on_loopback() -> None:
    """HTTP and media are bound to loopback, and nobody asks a public STUN server."""
    content = yaml.safe_load(livekit_server(PORTS, redis="127.0.0.1:1", api_key="key", api_secret="s" * 40))
    assert content["bind_addresses"] == ["127.0.0.1"]
    assert content["rtc"]["interfaces"] == {"includes": ["lo"]}
    assert content["rtc"]["node_ip"] == "127.0.0.1"
    assert content["rtc"]["use_external_ip"] is False
    assert content["keys"] == {"key": "s" * 40}


def test_livekit_server_tells_the_api_where_there_is_one() -> None:
    """Its webhooks go to the api's port, signed with the line's own key; without an api they go nowhere."""
    secret = "s" * 40
    with_api = livekit_server(replace(PORTS, api=9), redis="127.0.0.1:1", api_key="key", api_secret=secret)
    told = yaml.safe_load(with_api)["webhook"]
    assert told == {"api_key": "key", "urls": ["http://127.0.0.1:9/livekit/webhook"]}
    without = livekit_server(PORTS, redis="127.0.0.1:1", api_key="key", api_secret=secret)
    assert "webhook" not in yaml.safe_load(without)


def test_livekit_sip_gets_no_key_of_ours() -> None:
    """livekit-sip ignores unknown keys without a word, so none may reach it."""
    content = yaml.safe_load(
        livekit_sip({"api_key": "k", "sip_port": 5060, "jitter_buffer_ms": 60, "agent_wait_timeout": "4.5s"})
    )
    assert content["sip_port"] == 5060
    assert "jitter_buffer_ms" not in content
    assert "agent_wait_timeout" not in content
    assert content["codecs"]["G722/8000"] is False
