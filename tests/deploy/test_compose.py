"""The Compose files: valid, pinned, closed to the outside, patient with calls, free of secrets."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from provisioning.render.livekit_sip_keys import check_livekit_sip
from tests.deploy.files import BASE, OVERRIDES, ROOT, document, services
from tests.deploy.known_keys import LIVEKIT_SERVER, LIVEKIT_SIP, unknown_keys

pytestmark = pytest.mark.pure

FILES = (BASE, *OVERRIDES)
MINIMAL = {"redis", "livekit", "sip", "api", "worker"}
CARRY_CALLS = {"livekit": 3600, "sip": 3600, "egress": 3600, "worker": 3900}
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$")
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|API_KEY)")
SECRET_VALUE = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9+]{40}")
SERVICES = sorted(services())


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", text))


def _text(service: dict[str, Any]) -> str:
    return json.dumps(service)


def _specification() -> dict[str, Any]:
    """The Compose Specification's schema, as the package check-jsonschema carries it."""
    text = (resources.files("check_jsonschema.builtin_schemas") / "vendor/compose-spec.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def _narrower() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "tests/deploy/compose.schema.json").read_text())
    return schema


def _problems(schema: dict[str, Any], content: dict[str, Any]) -> list[str]:
    Draft202012Validator.check_schema(schema)
    found = Draft202012Validator(schema).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in found]


def _one_shot(service: dict[str, Any]) -> bool:
    return service.get("restart") == "no"


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_fits_the_compose_specification(name: str) -> None:
    """Each Compose file fits the Compose Specification's own schema."""
    assert _problems(_specification(), document(name)) == []


@pytest.mark.parametrize("override", OVERRIDES)
def test_the_files_fit_the_specification_when_merged(override: str) -> None:
    """What an override makes of the base file is a Compose file too."""
    merged = {**document(BASE), "services": services(BASE, override)}
    assert _problems(_specification(), merged) == []


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_has_no_key_that_compose_does_not_know(name: str) -> None:
    """Each Compose file fits our narrower schema: misspelt keys, bare numbers, truth values are refused."""
    assert _problems(_narrower(), document(name)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"stop_grace_perod": "1h"}, "$.services.sip"),
        ({"stop_grace_period": 3600}, "$.services.sip.stop_grace_period"),
        ({"environment": {"DEBUG": True}}, "$.services.sip.environment.DEBUG"),
        ({"depends_on": {"redis": {"condition": "healthy"}}}, "$.services.sip.depends_on.redis.condition"),
    ],
)
def test_the_schema_finds_mistakes(change: dict[str, Any], where: str) -> None:
    """A misspelt key, a bare number, a truth value and an unknown condition are each found where they are."""
    content = document(BASE)
    content["services"]["sip"] |= change
    assert where in [error.json_path for error in Draft202012Validator(_narrower()).iter_errors(content)]


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_names_services_that_exist(name: str) -> None:
    """An override changes services of the base file and adds none."""
    assert set(document(name)["services"]) <= set(SERVICES)


def test_without_a_profile_the_line_is_minimal_and_complete() -> None:
    """No profile starts Redis, livekit-server, the bridge, the api and the worker; the rest has a profile."""
    assert {name for name, each in services().items() if not each.get("profiles")} == MINIMAL


def test_on_livekit_cloud_only_our_own_parts_run() -> None:
    """With the cloud override nothing but api and worker starts, and neither waits for a server of ours."""
    merged = services(BASE, "deploy/compose.cloud.yml")
    running = {name: each for name, each in merged.items() if not each.get("profiles")}
    assert set(running) == {"api", "worker"}
    for each in running.values():
        assert all(not dependency.get("required", True) for dependency in each["depends_on"].values())
        assert each["environment"]["LIVEKIT_URL"].startswith("${LIVEKIT_URL:?")


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    """An image is named with the version of a release, never latest or a moving tag."""
    assert PINNED.match(services()[name]["image"]), services()[name]["image"]


def test_livekits_images_are_the_ones_that_were_looked_into() -> None:
    """The LiveKit images are those whose keys and behaviour the project's files rest on."""
    images = {each["image"] for each in services().values() if each["image"].startswith("livekit/")}
    assert images == {"livekit/livekit-server:v1.13.5", "livekit/sip:v1.11.0", "livekit/egress:v1.14.1"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_stop_gives_calls_their_time(name: str) -> None:
    """Every service says how long its stop may take; those that carry calls get an hour."""
    service = services()[name]
    assert _seconds(service["stop_grace_period"]) >= CARRY_CALLS.get(name, 10)
    if name in CARRY_CALLS:
        assert service.get("stop_signal", "SIGTERM") == "SIGTERM"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_is_checked_and_started_again(name: str) -> None:
    """A service has a health check and a restart policy, unless it runs once and ends."""
    service = services()[name]
    if _one_shot(service):
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert len(service["healthcheck"]["test"]) >= 2


def test_a_health_check_uses_what_its_image_has() -> None:
    """livekit-sip's image has bash alone, and there 429 is a busy bridge and no dead one."""
    test = services()["sip"]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "bash", "-c"]
    assert "(200|429)" in test[3]
    assert not re.search(r"\b(curl|wget)\b", test[3])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    """All capabilities are dropped and none can be gained; only the packet capture gets two back."""
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_RAW", "NET_ADMIN"] if name == "sip-capture" else [])


def test_on_linux_nothing_is_published() -> None:
    """SIP and RTP need the host's network, so no service publishes ports or has a network of its own."""
    for name, service in services().items():
        assert "ports" not in service
        assert service["network_mode"] == ("none" if name == "recordings-folder" else "host")


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_publishes_on_loopback_only(name: str) -> None:
    """What an override publishes is SIP, RTP and the api, on 127.0.0.1."""
    published = [port for each in services(BASE, name).values() for port in each.get("ports", [])]
    allowed = {"5060:5060/tcp", "5060:5060/udp", "10000-10100:10000-10100/udp", "8080:8080/tcp"}
    assert {port.removeprefix("127.0.0.1:") for port in published} <= allowed
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_on_docker_desktop_all_share_one_network() -> None:
    """With the desktop override loopback joins the parts: every service lives in Redis's network."""
    merged = services(BASE, "deploy/compose.desktop.yml")
    assert merged.pop("redis")["network_mode"] == "bridge"
    assert merged.pop("recordings-folder")["network_mode"] == "none"
    assert {each["network_mode"] for each in merged.values()} == {"service:redis"}


@pytest.mark.parametrize(
    ("name", "loopback"),
    [
        ("redis", '"--bind", "127.0.0.1"'),
        ("postgres", "listen_addresses=127.0.0.1"),
        ("prometheus", "--web.listen-address=127.0.0.1:"),
        ("grafana", '"GF_SERVER_HTTP_ADDR": "127.0.0.1"'),
        ("api", '"TRUNKLINE_API_HOST": "${TRUNKLINE_API_HOST:-127.0.0.1}"'),
    ],
)
def test_what_can_listen_on_loopback_does(name: str, loopback: str) -> None:
    """On the host's network a service that is not for the outside binds 127.0.0.1."""
    assert loopback in _text(services()[name])


@pytest.mark.parametrize("name", FILES)
def test_no_secret_stands_in_a_compose_file(name: str) -> None:
    """No variable holds a secret as a literal, and nothing in the file looks like one."""
    for service in document(name)["services"].values():
        for variable in service.get("environment", {}):
            assert not SECRET_NAME.search(variable) or variable.endswith("_FILE"), variable
    assert not SECRET_VALUE.search((ROOT / name).read_text())


def test_secrets_come_from_files_that_git_and_docker_do_not_see() -> None:
    """Each secret is a file that the script makes, git ignores and no image contains."""
    script = (ROOT / "scripts/secrets").read_text()
    files = [entry["file"] for entry in document(BASE)["secrets"].values()]
    files += ["./" + file for each in services().values() for file in each.get("env_file", [])]
    for file in files:
        assert file.startswith("./deploy/secrets/")
        assert f"{file.removeprefix('./deploy/secrets/')}:" in script
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().split()
    assert (ROOT / ".dockerignore").read_text().split("\n")[1] == "*"


def test_the_api_reads_what_the_worker_tells() -> None:
    """Both work on one volume, and the api empties the folder in which the worker leaves its events."""
    api, worker = services()["api"], services()["worker"]
    assert api["environment"]["TRUNKLINE_SPOOL"] == f"{worker['environment']['TRUNKLINE_DATA']}/events"
    assert "data:/data" in api["volumes"]
    assert "data:/data" in worker["volumes"]


def test_names_that_are_used_are_declared() -> None:
    """Every secret, volume, dependency and mounted file that a service names exists."""
    content = document(BASE)
    for name, service in services().items():
        assert set(service.get("secrets", [])) <= set(content["secrets"]), name
        assert set(service.get("depends_on", {})) <= set(content["services"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in content["volumes"]


@pytest.mark.parametrize(
    "name", ["telephony.api", "telephony.agent", "telephony.speech.engine", "provisioning"]
)
def test_the_programs_that_are_started_exist(name: str) -> None:
    """What the images and services start can be run with python -m."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert name in dockerfile or name in _text(services())
    spec = importlib.util.find_spec(name)
    assert spec is not None
    if spec.submodule_search_locations:
        assert importlib.util.find_spec(f"{name}.__main__") is not None


@pytest.mark.parametrize("name", ["deploy/livekit-sip.yaml", "deploy/livekit-sip.desktop.yaml"])
def test_livekit_sip_gets_only_keys_it_knows(name: str) -> None:
    """livekit-sip ignores unknown keys without a word, so none may stand in a file of ours."""
    assert unknown_keys(document(name), LIVEKIT_SIP) == []


@pytest.mark.parametrize("override", [None, *OVERRIDES])
def test_every_configuration_that_is_mounted_for_livekit_is_checked(override: str | None) -> None:
    """No file gets into a LiveKit container that the strict checks have not seen, overrides included."""
    known = {"livekit-server.yaml": LIVEKIT_SERVER, "livekit-sip.yaml": LIVEKIT_SIP}
    for service in services(BASE, *([override] if override else [])).values():
        if not service["image"].startswith("livekit/"):
            continue
        assert not {name for name in service.get("environment", {}) if name.endswith("CONFIG_BODY")}
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            if source.startswith("./"):
                assert unknown_keys(document(source), known[target.removeprefix("/etc/")]) == []


@pytest.mark.parametrize("name", ["deploy/livekit-sip.yaml", "deploy/livekit-sip.desktop.yaml"])
def test_what_provision_renders_by_accepts_our_own_files(name: str) -> None:
    """The check that `provision render` applies to livekit-sip's file finds nothing in the shipped ones."""
    assert list(check_livekit_sip(document(name))) == []


def test_livekit_server_gets_only_keys_it_knows() -> None:
    """livekit-server would not start with an unknown key."""
    assert unknown_keys(document("deploy/livekit-server.yaml"), LIVEKIT_SERVER) == []


def test_keys_that_circulate_but_do_nothing_are_found() -> None:
    """The check of keys finds what blog posts write and livekit-sip never reads, at any depth."""
    content = {
        "log_level": "debug",
        "bind_address": "0.0.0.0",
        "sip": {"port": 5060},
        "tls": {"certs": [{"cert": "x"}]},
        "codecs": {"OPUS/48000": True},
    }
    found = unknown_keys(content, LIVEKIT_SIP)
    assert found == ["log_level", "bind_address", "sip", "tls.certs.cert", "codecs.OPUS/48000"]


def test_media_stays_on_this_host() -> None:
    """livekit-server listens and carries media on loopback alone, so that no browser port is open."""
    server = document("deploy/livekit-server.yaml")
    assert server["bind_addresses"] == ["127.0.0.1"]
    assert server["rtc"]["node_ip"] == "127.0.0.1"
    assert server["rtc"]["interfaces"] == {"includes": ["lo"]}


def test_the_files_agree_about_ports() -> None:
    """Health checks, addresses, firewall and the servers' files name the same ports."""
    sip, server = document("deploy/livekit-sip.yaml"), document("deploy/livekit-server.yaml")
    compose, firewall = services(), (ROOT / "deploy/nftables.conf").read_text()
    assert f"/127.0.0.1/{sip['health_port']};" in compose["sip"]["healthcheck"]["test"][3]
    assert sip["ws_url"] == compose["api"]["environment"]["LIVEKIT_URL"] == f"ws://127.0.0.1:{server['port']}"
    assert server["webhook"]["urls"] == ["http://127.0.0.1:8080/livekit/webhook"]
    assert f"define sip_port = {sip['sip_port']}\n" in firewall
    assert f"define rtp_ports = {sip['rtp_port']}\n" in firewall
    low, high = (int(port) for port in sip["rtp_port"].split("-"))
    assert not {server["rtc"]["udp_port"], server["rtc"]["tcp_port"]} & set(range(low, high + 1))


def test_the_firewall_closes_what_it_does_not_name() -> None:
    """The firewall's policy is drop, and SIP is taken from the carrier's ranges alone."""
    text = re.sub(r"#.*", "", (ROOT / "deploy/nftables.conf").read_text())
    assert "hook input priority filter; policy drop;" in text
    accepted = [
        line.strip() for line in text.splitlines() if "dport" in line and line.strip().endswith("accept")
    ]
    assert all("@carrier_signalling" in line for line in accepted if "$sip_port" in line)
    assert {match for line in accepted for match in re.findall(r"dport (\S+)", line)} == {
        "$ssh_port",
        "$sip_port",
        "$rtp_ports",
        "$api_ports",
    }


def test_the_firewall_can_be_loaded() -> None:
    """nft itself reads the file, where this machine has it and lets a user have a network of its own."""
    nft, unshare = shutil.which("nft") or shutil.which("nft", path="/usr/sbin"), shutil.which("unshare")
    if (
        nft is None
        or unshare is None
        or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode
    ):
        pytest.skip("no nft here, or no network namespace for a user")
    arguments = [unshare, "-rn", nft, "-c", "-f", str(ROOT / "deploy/nftables.conf")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def test_the_images_are_built_from_hashed_locks_and_run_without_root() -> None:
    """Both targets install by hash, carry the notices, run as user 10001, stop by SIGTERM, are checked."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install [^&\n]*", text)
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
    assert "STOPSIGNAL SIGTERM" in text
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)
    for target in ("api", "worker"):
        stage = next(each for each in stages if each.split("\n")[0].endswith(f" AS {target}"))
        assert "USER 10001:10001" in stage
        assert "HEALTHCHECK" in stage
        assert "/notices /licenses/packages" in stage


def test_docker_sees_what_the_images_are_made_of_and_nothing_else() -> None:
    """The build context is exactly what the Dockerfile copies."""
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE):
        copied |= {word for word in line.split()[:-1] if not word.startswith("--")}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert {each.split("/")[0] if each.startswith("requirements/") else each for each in copied} == sent
    assert all((ROOT / each).exists() for each in sent)


@pytest.mark.parametrize("override", [None, *OVERRIDES])
def test_compose_itself_reads_the_files(override: str | None) -> None:
    """Where this machine has Docker Compose, it accepts the files."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("this machine's docker has no compose; the schema above has judged the files")
    arguments = [docker, "compose", "-f", BASE] + (["-f", override] if override else [])
    environment = {"LIVEKIT_URL": "wss://example.livekit.cloud", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(
        [*arguments, "config", "--quiet"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
