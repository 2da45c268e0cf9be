"""What the one file renders to is read by those it is for: strictly, and in every kind of place."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from provisioning.render.files import Rendered, render_all
from provisioning.render.livekit_sip_keys import check_livekit_sip
from provisioning.render.place import Place, place_of
from telephony.bridge.config import read_config
from telephony.errors import ConfigError
from tests.bridge.servers import free_port, livekit_binary, livekit_server
from tests.provisioning.files import SHIPPED, config, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.config import LineConfig
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

SECRET = "a-secret-of-more-than-thirty-two-characters"
ENV = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": SECRET, "REDIS_PASSWORD": "redis-password"}
PLACES = {
    "loopback": place_of(config("line: a").bridge, "loopback"),
    "private": place_of(config("line: a").bridge, "private", "10.0.0.5"),
    "nat": place_of(config("line: a").bridge, "nat", "203.0.113.10"),
    "public": place_of(config("line: a").bridge, "public", "203.0.113.10"),
}
EVERYTHING = """
line: a
livekit: {url: "wss://line.example.com", api_key: "${LIVEKIT_API_KEY}", api_secret: "${LIVEKIT_API_SECRET}"}
redis: {address: "10.0.0.9:6379", username: u, password: "${REDIS_PASSWORD}", db: 2, use_tls: true}
sip_trunks:
  - {name: novofon, carrier: novofon-trunk, platform: v2, numbers: ["+74951234567"]}
  - {name: six, inbound_only: true, numbers: ["+15550001"], allowed_addresses: ["2001:db8::/32"]}
routing: {inbound_rules: [{name: r}]}
webhooks: {url: "https://line.example.com/livekit/webhook"}
bridge: {sip_port: 5070, health_port: 8090, prometheus_port: 8091, rtp_port: 12000-12100, media_timeout: 90s,
         tls: {port: 5062, certs: [{cert_file: a.pem, key_file: b.pem}]}, sip_hostname: line.example.com}
audio_codecs: [{name: PCMA, priority: 1}, {name: G722, priority: 2}, {name: PCMU, enabled: false}]
recording: {enabled: true, by: egress, storage: {bucket: calls, access_key: ak, secret: "${REDIS_PASSWORD}"}}
"""
FILES = {"shipped": SHIPPED.read_text(), "everything": EVERYTHING}


def line(name: str) -> LineConfig:
    return loaded(FILES[name], ENV).config


def rendered(name: str, place: Place, **options: bool) -> dict[str, Rendered]:
    return {one.name: one for one in render_all(line(name), place, **options)}


def tree(one: Rendered) -> dict[str, Any]:
    value = yaml.safe_load(one.text)
    assert isinstance(value, dict)
    return value


EVERY_CASE = list(itertools.product(FILES, PLACES, (False, True)))


@pytest.mark.parametrize(("name", "place", "secrets"), EVERY_CASE)
def test_every_reader_knows_every_key(name: str, place: str, secrets: bool) -> None:
    """livekit-sip's list of keys and the bridge's own strict reader find nothing to complain of."""
    files = rendered(name, PLACES[place], secrets=secrets)
    assert check_livekit_sip(tree(files["livekit-sip"])) == []
    env = {} if secrets else {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": SECRET}
    if not line(name).redis.use_tls:
        assert read_config(tree(files["bridge"]), env).listen_ip == PLACES[place].listen


@pytest.mark.parametrize(("name", "place"), list(itertools.product(FILES, PLACES)))
def test_secrets_are_in_the_files_only_when_asked_for(name: str, place: str) -> None:
    """Without --inline-secrets no file has one."""
    for one in render_all(line(name), PLACES[place]):
        assert SECRET not in one.text
        assert "redis-password" not in one.text
    assert SECRET in rendered(name, PLACES[place], secrets=True)["livekit-server"].text


@pytest.mark.parametrize(
    ("place", "listen", "announced"),
    [
        ("loopback", "127.0.0.1", "127.0.0.1"),
        ("private", "10.0.0.5", None),
        ("nat", "0.0.0.0", "203.0.113.10"),
        ("public", "203.0.113.10", None),
    ],
)
def test_addresses_of_a_place(place: str, listen: str, announced: str | None) -> None:
    """What SIP is bound to, and what carriers are told where that differs."""
    sip = tree(rendered("shipped", PLACES[place])["livekit-sip"])
    assert (sip["listen_ip"], sip.get("nat_1_to_1_ip")) == (listen, announced)


@pytest.mark.parametrize("place", PLACES)
def test_livekits_api_and_media_stay_on_loopback_unless_browsers_connect(place: str) -> None:
    """Only --browsers opens the media ports, and never the API, which a TLS proxy stands before."""
    closed = tree(rendered("shipped", PLACES[place])["livekit-server"])
    assert closed["bind_addresses"] == ["127.0.0.1"]
    assert closed["rtc"]["node_ip"] == "127.0.0.1"
    opened = tree(rendered("shipped", PLACES[place], browsers=True)["livekit-server"])
    assert opened["bind_addresses"] == ["127.0.0.1"]
    assert opened["rtc"].get("node_ip") == PLACES[place].host


@pytest.mark.parametrize("place", PLACES)
def test_the_real_livekit_server_starts_with_its_file(place: str, livekit: LiveKit, tmp_path: Path) -> None:
    """It refuses unknown keys, so starting proves the file; ports aside, which others may have."""
    server = livekit_server(tmp_path, livekit.redis.port)
    content = tree(rendered("shipped", PLACES[place], secrets=True)["livekit-server"])
    assert content["redis"].pop("password") == "redis-password"
    content |= {"port": server.port, "redis": {**content["redis"], "address": livekit.redis_address}}
    content["rtc"] |= {"tcp_port": free_port(), "udp_port": free_port()}
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump(content))
    server.argv[:] = [str(livekit_binary()), "--config", str(file)]
    server.start()
    server.stop()


def test_a_place_that_needs_an_address_says_so() -> None:
    """private and public are nowhere in particular without one; IPv6 is not spoken on the SIP side."""
    bridge = config("line: a").bridge
    with pytest.raises(ConfigError, match="needs the machine's address"):
        place_of(bridge, "public")
    with pytest.raises(ConfigError, match="not an IPv4 address"):
        place_of(bridge, "nat", "2001:db8::1")
    assert place_of(bridge, "nat").asks_stun


def test_the_firewall_lets_carriers_in_and_nobody_to_what_is_private() -> None:
    """Carriers of both families reach SIP, health and metrics are closed, RTP is open in its range alone."""
    text = rendered("everything", PLACES["public"])["nftables"].text
    assert "37.139.38.0/24" in text
    assert "2001:db8::/32" in text
    assert "{ 5070, 5062 }" in text
    closed = re.search(r"tcp dport \{ ([^}]*) \} drop", text)
    assert closed is not None
    assert {"6379", "7880", "8090", "8091"} <= set(closed[1].split(", "))
    assert "udp dport 12000-12100" in text


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed on this machine")
@pytest.mark.parametrize(("name", "browsers"), list(itertools.product(FILES, (False, True))))
def test_nft_reads_the_firewall(name: str, browsers: bool, tmp_path: Path) -> None:
    """nft --check takes the file; nothing is loaded."""
    file = tmp_path / "nftables.conf"
    file.write_text(rendered(name, PLACES["public"], browsers=browsers)["nftables"].text)
    done = subprocess.run(
        ["nft", "--check", "--file", str(file)], capture_output=True, text=True, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft may not be asked here: it needs the right to administer the network")
    assert done.returncode == 0, done.stderr


def test_keys_that_livekit_sip_would_ignore_are_found() -> None:
    """Misspelt, misplaced and seen in articles: each with what to write instead."""
    found = check_livekit_sip(
        {"log_level": "x", "sip_prt": 1, "redis": {"adress": "a"}, "codecs": {"opus": True}}
    )
    told = {".".join(map(str, one.path)): one.fix or "" for one in found}
    assert told["log_level"] == "Write logging: {level: …}."
    assert "sip_port" in told["sip_prt"]
    assert "address" in told["redis.adress"]
    assert "PCMU/8000" in told["codecs.opus"]
