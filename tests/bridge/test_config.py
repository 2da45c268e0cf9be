"""The bridge's file: what is read, and how a wrong one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telephony.bridge.config import load_config, parse_duration, read_config
from telephony.bridge.limits import Caps
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

MINIMAL: dict[str, Any] = {
    "api_key": "key",
    "api_secret": "secret",
    "ws_url": "ws://127.0.0.1:7880",
    "redis": {"address": "127.0.0.1:6379"},
    "listen_ip": "127.0.0.1",
}


def test_a_minimal_file_has_livekit_sips_defaults() -> None:
    """Ports, time-outs and codecs default to livekit-sip's, apart from what is ours on purpose."""
    config = read_config(MINIMAL, {})
    assert (config.sip_port, config.rtp_port, config.health_port) == (5060, "10000-20000", None)
    assert (config.media_timeout, config.media_timeout_initial, config.sip_ringing_interval) == (15, 30, 1)
    assert config.audio_codecs == ["PCMU", "PCMA"]
    assert config.dtmf
    assert (config.agent_wait_timeout, config.refuse_status, config.jitter_buffer_ms) == (4.5, 503, 60)


def test_everything_can_be_set() -> None:
    """Every key of the contract is read and converted."""
    config = read_config(
        {
            **MINIMAL,
            "redis": {"address": "r.example:6380", "username": "u", "password": "p", "db": 2},
            "nat_1_to_1_ip": "203.0.113.5",
            "sip_port": 0,
            "rtp_port": "20000-20400",
            "health_port": 0,
            "sip_ringing_interval": "500ms",
            "media_timeout": "1m30s",
            "media_timeout_initial": "5s",
            "symmetric_rtp": False,
            "codecs": {"PCMU/8000": False, "G722/8000": False, "telephone-event/8000": False},
            "max_active_calls": 7,
            "max_calls_per_trunk": 5,
            "max_calls_per_source": 6,
            "limit_status": 486,
            "reserved_inbound_calls": 2,
            "logging": {"level": "debug", "json": True},
            "jitter_buffer_ms": 100,
            "agent_wait_timeout": "0s",
            "refuse_status": 480,
            "events_dir": "/tmp/events",
            "ready_file": "/tmp/ready.json",
            "server_loss_timeout": "3s",
        },
        {},
    )
    address = config.redis.to_address()
    assert (address.host, address.port, address.username, address.password, address.db) == (
        "r.example",
        6380,
        "u",
        "p",
        2,
    )
    assert (config.advertised_ip, config.media_timeout, config.sip_ringing_interval) == (
        "203.0.113.5",
        90,
        0.5,
    )
    assert config.audio_codecs == ["PCMA"]
    assert config.caps == Caps(7, 5, 6, 486, 2)
    assert not config.dtmf
    assert str(config.events_dir) == "/tmp/events"


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"sip_prot": 5060}, "sip_prot", "did you mean sip_port"),
        ({"redis": {"addres": "x"}}, "redis.address", "did you mean address"),
        ({"redis": {"address": "127.0.0.1:redis"}}, None, "host:port"),
        ({"ws_url": "http://127.0.0.1"}, "ws_url", "pattern"),
        ({"sip_port": 70000}, "sip_port", "65535"),
        ({"rtp_port": "20000"}, "rtp_port", "pattern"),
        ({"rtp_port": "20000-10000"}, None, "first-last"),
        ({"media_timeout": 15}, "media_timeout", "unit"),
        ({"media_timeout": "15 s"}, "media_timeout", "unit"),
        ({"listen_ip": "localhost"}, None, "IPv4"),
        ({"listen_ip": "0.0.0.0"}, None, "nat_1_to_1_ip must be set"),
        ({"codecs": {"G722/8000": True}}, None, "G722/8000"),
        ({"codecs": {"PCMU/8000": False, "PCMA/8000": False}}, None, "no call could be taken"),
        ({"logging": {"json": False}}, "logging.json", "True"),
        ({"refuse_status": 200}, "refuse_status", "400"),
        ({"jitter_buffer_ms": 1000}, "jitter_buffer_ms", "200"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], field: str | None, text: str) -> None:
    """The message names the key and what is wrong with it, and no value of a secret."""
    with pytest.raises(ConfigError) as failure:
        read_config({**MINIMAL, **change}, {})
    assert text in str(failure.value)
    if field is not None:
        assert field in str(failure.value)
    assert "secret" not in str(failure.value)


def test_all_problems_are_named_at_once() -> None:
    """Two wrong keys give one error with both."""
    with pytest.raises(ConfigError, match=r"2 settings are wrong: .*sip_port.*refuse_status"):
        read_config({**MINIMAL, "sip_port": -1, "refuse_status": 1}, {})


def test_missing_keys_come_from_the_environment() -> None:
    """Key, secret and URL may be left to LIVEKIT_API_KEY, LIVEKIT_API_SECRET and LIVEKIT_URL."""
    bare = {"redis": MINIMAL["redis"], "listen_ip": "127.0.0.1"}
    env = {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s", "LIVEKIT_URL": "ws://127.0.0.1:1"}
    config = read_config(bare, env)
    assert (config.api_key, config.api_secret, config.ws_url) == ("k", "s", "ws://127.0.0.1:1")
    with pytest.raises(ConfigError, match="api_key: is required"):
        read_config(bare, {})


def test_the_secret_can_be_in_a_file(tmp_path: Path) -> None:
    """A relative file counts from the configuration file; a repr never shows the secret."""
    (tmp_path / "secret").write_text("from-file\n")
    file = tmp_path / "bridge.yaml"
    file.write_text(
        "api_key: k\napi_secret_file: secret\nws_url: ws://127.0.0.1:1\n"
        "redis: {address: 127.0.0.1}\nlisten_ip: 127.0.0.1\n"
    )
    config = load_config(file, {})
    assert config.api_secret == "from-file"
    assert config.redis.to_address().port == 6379
    assert "from-file" not in repr(config)
    file.write_text(file.read_text() + "api_secret: other\n")
    with pytest.raises(ConfigError, match="api_secret_file"):
        load_config(file, {})


@pytest.mark.parametrize("content", ["redis: [", "- a\n- b\n", "", "\x00"])
def test_a_file_that_is_no_settings_is_refused(tmp_path: Path, content: str) -> None:
    """Broken YAML and YAML of another shape give one sentence."""
    file = tmp_path / "bridge.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"--config"):
        load_config(file, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The path is in the sentence."""
    with pytest.raises(ConfigError, match=r"missing\.yaml cannot be read"):
        load_config(tmp_path / "missing.yaml", {})


@pytest.mark.parametrize(("text", "seconds"), [("4.5s", 4.5), ("500ms", 0.5), ("1h2m3s", 3723), ("0s", 0)])
def test_durations_are_written_as_in_go(text: str, seconds: float) -> None:
    """Numbers with units, several in a row."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5s ", "-5s", "5d", "1s x", 5, None])
def test_other_durations_are_refused(text: object) -> None:
    """A unit is always needed."""
    with pytest.raises(ValueError, match="unit"):
        parse_duration(text)
