"""The doctor on real servers, healthy and with one fault at a time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import socket
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from livekit.protocol.sip import SIPDispatchRule, SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.doctor.call import call
from provisioning.doctor.checks import agent, bridge, carrier, server
from provisioning.doctor.examination import CHECKS, Check, examine, mend
from provisioning.doctor.patient import Patient
from provisioning.objects import Kind
from provisioning.running_line import RunningLine
from telephony.bridge.config import read_config
from telephony.bridge.service import BridgeService
from telephony.clock import LoopClock
from telephony.sip.endpoint import SipEndpoint
from telephony.spool import EventSpool
from tests.bridge.servers import bridge_settings, free_port, redis_server
from tests.provisioning.files import loaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from provisioning.config import LoadedConfig
    from provisioning.doctor.finding import Finding
    from provisioning.sip_service import SipService
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

FILE = """
livekit: {{url: "{url}", api_key: "{key}", api_secret: "${{SECRET}}"}}
redis: {{address: "{redis}"}}
sip_trunks:
  - {{name: demo, inbound_only: true, numbers: ["+15550100100"], allowed_addresses: ["127.0.0.1/32"]}}
routing: {{inbound_rules: [{{name: reception, trunks: [demo]}}]}}
"""


def file_for(livekit: LiveKit, more: str = "", **instead: str) -> LoadedConfig:
    values = {"url": livekit.url, "key": livekit.api_key, "redis": livekit.redis_address, **instead}
    secret = values.pop("secret", livekit.api_secret)
    return loaded(FILE.format(**values) + more, {"SECRET": secret})


async def found(file: LoadedConfig, *only: str, line: RunningLine | None = None) -> dict[str, Finding]:
    """Findings by id."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        patient = Patient(file, line, http)
        try:
            findings = await examine(patient, only=only)
        finally:
            await patient.close()
    assert all(one.evidence.strip() for one in findings)
    assert all(one.fix.strip() for one in findings if one.status == "problem"), findings
    return {one.id: one for one in findings}


async def mended(file: LoadedConfig, *only: str) -> list[str]:
    async with aiohttp.ClientSession() as http:
        patient = Patient(file, None, http)
        try:
            return [what for _, what in await mend(await examine(patient, only=only))]
        finally:
            await patient.close()


def running(folder: Path, livekit: LiveKit, ready: dict[str, Any]) -> RunningLine:
    return RunningLine(
        folder, livekit.url, livekit.api_key, livekit.api_secret, livekit.redis_address, ready, {}
    )


@contextlib.asynccontextmanager
async def bridge_beside(livekit: LiveKit, folder: Path, **more: Any) -> AsyncIterator[RunningLine]:
    """A bridge on the server's own bus, known to the doctor by its line's folder."""
    given = {"events_dir": str(folder / "events"), **more}
    service = BridgeService(read_config(bridge_settings(livekit.url, livekit.redis_address, **given), {}))
    await service.start()
    ready = {"sip_port": service.sip_port, "health_port": service.health_port, "pid": os.getpid()}
    yield running(folder, livekit, ready)
    await service.stop()


@contextlib.asynccontextmanager
async def http_server(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """Somebody on HTTP."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


# --- the server ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who is silent is waited for long."""
    for module in (agent, bridge, carrier):
        monkeypatch.setattr(module, "_PATIENCE_S", 0.5)


async def test_a_healthy_line_has_no_problem_but_the_missing_agent(livekit: LiveKit, tmp_path: Path) -> None:
    """Server, key, Redis, bus, bridge and routing are fine; --fix applied the file; nobody answers calls."""
    file = file_for(livekit)
    assert await mended(file, "routing.applied") == ["applied the file: 2 writes"]
    async with bridge_beside(livekit, tmp_path) as line:
        findings = await found(file, line=line)
    problems = {one.id for one in findings.values() if one.status == "problem"}
    assert problems == {"agent.trunkline"}, findings["agent.trunkline"]
    for check in ("server.key", "redis.shared", "bridge.bus", "bridge.sip", "bridge.health", "routing.rules"):
        assert findings[check].status == "ok", findings[check]
    assert "no worker took a job for agent 'trunkline'" in findings["agent.trunkline"].evidence
    assert len(CHECKS) >= 20


async def test_nobody_at_the_url(livekit: LiveKit) -> None:
    """What needs the server says so and is skipped; what is wrong is said once."""
    findings = await found(file_for(livekit, url=f"ws://127.0.0.1:{free_port()}"), "server", "routing")
    assert findings["server.reachable"].status == "problem"
    assert "cannot be reached" in findings["server.reachable"].evidence
    assert findings["routing.rules"].status == "skipped"


@pytest.mark.parametrize("wrong", [{"secret": "x" * 40}, {"key": "stranger"}])
async def test_a_wrong_key(livekit: LiveKit, wrong: dict[str, str]) -> None:
    """The server refuses it, and the finding says what to set."""
    findings = await found(file_for(livekit, **wrong), "server")
    assert findings["server.reachable"].status == "ok"
    assert findings["server.key"].status == "problem"
    assert "api_secret" in findings["server.key"].fix
    assert "x" * 40 not in json.dumps([one.to_json() for one in findings.values()])


async def test_a_stranger_at_the_url(livekit: LiveKit) -> None:
    """Something else on HTTP is not taken for livekit-server."""

    async def teapot(request: web.Request) -> web.Response:
        return web.Response(status=418)

    async with http_server(teapot) as port:
        findings = await found(file_for(livekit, url=f"ws://127.0.0.1:{port}"), "server")
    assert findings["server.reachable"].status == "problem"
    assert findings["server.key"].status == "problem"


async def test_clocks_that_disagree(livekit: LiveKit) -> None:
    """A server two hours behind refuses tokens; the doctor sees it in its Date."""

    async def late(request: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Date": "Sat, 21 Nov 2020 12:00:00 GMT"})

    async with http_server(late) as port:
        findings = await found(file_for(livekit, url=f"ws://127.0.0.1:{port}"), "server.clock")
    assert findings["server.clock"].status == "problem"
    assert "NTP" in findings["server.clock"].fix


# --- the bus and the bridge ------------------------------------------------------------------------


async def test_redis_that_is_not_the_servers(livekit: LiveKit, tmp_path: Path) -> None:
    """A Redis that answers but that no livekit-server listens on is a problem, not a success."""
    other = redis_server(tmp_path)
    await asyncio.to_thread(other.start)
    try:
        findings = await found(file_for(livekit, redis=f"127.0.0.1:{other.port}"), "redis", "bridge.bus")
    finally:
        other.stop()
    assert findings["redis.reachable"].status == "ok"
    assert findings["redis.shared"].status == "problem"
    assert findings["bridge.bus"].status == "problem"


async def test_the_wrong_db_of_the_right_redis(livekit: LiveKit, service: SipService) -> None:
    """Subscriptions are not of a db, but trunks are: they are missed there."""
    await service.create(Kind.INBOUND, SIPInboundTrunkInfo(name="t", numbers=["+15550001"]))
    file = file_for(livekit, redis=livekit.redis_address)
    wrong = loaded(
        FILE.format(url=livekit.url, key=livekit.api_key, redis=livekit.redis_address).replace(
            "redis: {", "redis: {db: 3, "
        ),
        {"SECRET": livekit.api_secret},
    )
    assert (await found(file, "redis"))["redis.shared"].status == "ok"
    assert "not in db 3" in (await found(wrong, "redis"))["redis.shared"].evidence


async def test_no_redis_at_all(livekit: LiveKit) -> None:
    """It may be LiveKit Cloud's own, so it is not called a problem."""
    findings = await found(file_for(livekit, redis=f"127.0.0.1:{free_port()}"), "redis", "bridge.bus")
    assert findings["redis.reachable"].status == "skipped"
    assert findings["bridge.bus"].status == "skipped"


async def test_no_bridge_and_a_port_that_is_free(livekit: LiveKit) -> None:
    """Nobody on the bus, nobody on the SIP port: both are said, with the port's state."""
    port = free_port(socket.SOCK_DGRAM)
    findings = await found(file_for(livekit, f"bridge: {{sip_port: {port}}}"), "bridge")
    assert findings["bridge.bus"].status == findings["bridge.sip"].status == "problem"
    assert "the port is free" in findings["bridge.sip"].evidence


async def test_another_program_on_the_sip_port(livekit: LiveKit) -> None:
    """A port that is taken by what does not speak SIP is told from one that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        file = file_for(livekit, f"bridge: {{sip_port: {sink.getsockname()[1]}}}")
        findings = await found(file, "bridge.sip")
    assert "some program has the port" in findings["bridge.sip"].evidence


@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (429, "warning"), (503, "problem")])
async def test_what_the_bridge_says_of_itself(livekit: LiveKit, status: int, expected: str) -> None:
    """Full is a warning, stopping a problem."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(status=status, text="word")

    async with http_server(say) as port:
        findings = await found(file_for(livekit, f"bridge: {{health_port: {port}}}"), "bridge.health")
    assert findings["bridge.health"].status == expected


async def test_every_bridge_of_the_line_is_asked(livekit: LiveKit, tmp_path: Path) -> None:
    """Those that share its calls on this machine, one finding each; one that is gone is a problem."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async with http_server(say) as first, http_server(say) as second:
        others = ({"health_port": second}, {"health_port": free_port()})
        line = dataclasses.replace(running(tmp_path, livekit, {"health_port": first}), other_bridges=others)
        async with aiohttp.ClientSession() as http:
            patient = Patient(file_for(livekit), line, http)
            findings = await examine(patient, only=("bridge.health",))
            await patient.close()
    assert [one.status for one in findings] == ["ok", "ok", "problem"]


@pytest.mark.parametrize(
    ("section", "expected", "words"),
    [
        ("bridge: {rtp_port: 10000-10007}\nagent: {max_calls: 10}", "problem", "holds 4 calls"),
        ("bridge: {rtp_port: 50000-51000}", "warning", "overlaps livekit-server's own"),
        ("bridge: {rtp_port: 10000-20000}", "ok", "holds 5000 calls"),
    ],
)
async def test_media_ports(
    livekit: LiveKit, section: str, expected: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Too few, or where livekit-server and the system take theirs."""
    monkeypatch.setattr(bridge, "_EPHEMERAL", tmp_path / "none")
    finding = (await found(file_for(livekit, section), "bridge.media"))["bridge.media"]
    assert finding.status == expected
    assert words in finding.evidence


@pytest.mark.parametrize(
    ("section", "source", "expected"),
    [
        ("bridge: {listen_ip: 127.0.0.1}", "127.0.0.1/32", "ok"),
        ("bridge: {listen_ip: 127.0.0.1}", "203.0.113.0/24", "problem"),
        ("bridge: {listen_ip: 0.0.0.0}", "203.0.113.0/24", "problem"),
        ("bridge: {listen_ip: 10.0.0.5}", "203.0.113.0/24", "warning"),
        ("bridge: {listen_ip: 10.0.0.5, nat_1_to_1_ip: 8.8.8.8}", "203.0.113.0/24", "ok"),
    ],
)
async def test_the_announced_address(livekit: LiveKit, section: str, source: str, expected: str) -> None:
    """Loopback for a carrier outside, none at all, private, public."""
    text = FILE.replace("127.0.0.1/32", source).format(
        url=livekit.url, key=livekit.api_key, redis=livekit.redis_address
    )
    findings = await found(loaded(text + section, {"SECRET": livekit.api_secret}), "address")
    assert findings["address.advertised"].status == expected
    if expected == "warning":
        assert source in findings["address.firewall"].evidence


# --- agent and routing -----------------------------------------------------------------------------


async def test_an_agent_that_nobody_registered(livekit: LiveKit) -> None:
    """Every name that a rule calls for is tried, and the doctor leaves no room behind."""
    text = FILE.replace("trunks: [demo]", "trunks: [demo], agent_name: somebody")
    file = loaded(
        text.format(url=livekit.url, key=livekit.api_key, redis=livekit.redis_address),
        {"SECRET": livekit.api_secret},
    )
    findings = await found(file, "agent")
    assert {name: one.status for name, one in findings.items()} == {
        "agent.trunkline": "problem",
        "agent.somebody": "problem",
    }


async def test_rules_that_no_call_reaches_and_trunks_that_nobody_serves(
    livekit: LiveKit, service: SipService
) -> None:
    """Our own number among callers, a trunk that is gone, a trunk without a rule: each with its reason."""
    await mended(file_for(livekit), "routing.applied")
    one = await service.create(Kind.INBOUND, SIPInboundTrunkInfo(name="a", numbers=["+15550001"]))
    two = await service.create(Kind.INBOUND, SIPInboundTrunkInfo(name="b", numbers=["+15550002"]))
    kind = SIPDispatchRule()
    kind.dispatch_rule_individual.room_prefix = "x"
    callers = SIPDispatchRuleInfo(rule=kind, trunk_ids=[one.id], inbound_numbers=["+15550001"])
    stale = SIPDispatchRuleInfo(rule=kind, trunk_ids=["ST_gone"], numbers=["+15550009"])
    never = await service.create(Kind.RULE, callers)
    gone = await service.create(Kind.RULE, stale)
    findings = await found(file_for(livekit), "routing")
    assert "inbound_numbers are callers" in findings[f"routing.rule.{never.id}"].evidence
    assert "does not exist" in findings[f"routing.rule.{gone.id}"].evidence
    assert "no rule takes its calls" in findings[f"routing.trunk.{two.id}"].evidence
    assert findings[f"routing.open.{one.id}"].status == "problem"


async def test_numbers_in_forms_that_nobody_dials(livekit: LiveKit, service: SipService) -> None:
    """A Russian 8 becomes Vietnam under LiveKit's plus; logins and good numbers are left in peace."""
    numbers = ["84951234567", "0053000", "+74951234567", "+15550100100"]
    await service.create(Kind.INBOUND, SIPInboundTrunkInfo(name="a", numbers=numbers))
    finding = (await found(file_for(livekit), "routing.numbers"))["routing.numbers"]
    assert finding.status == "warning"
    assert "84951234567 (dialled from Russia this is +74951234567)" in finding.evidence
    assert "0053000" not in finding.evidence


# --- carriers --------------------------------------------------------------------------------------

CARRIER = """
  - {{name: out, outbound_only: true, numbers: ["+15550100100"],
      host: {host}, port: {port}, transport: {how}}}
"""


def with_carrier(livekit: LiveKit, host: str, port: int, how: str = "udp") -> LoadedConfig:
    text = FILE.format(url=livekit.url, key=livekit.api_key, redis=livekit.redis_address)
    text = text.replace("\nrouting:", CARRIER.format(host=host, port=port, how=how).rstrip() + "\nrouting:")
    return loaded(text, {"SECRET": livekit.api_secret})


async def test_a_carrier_that_answers_options(livekit: LiveKit) -> None:
    """Any SIP answer proves that somebody is there."""
    other = SipEndpoint(LoopClock(), user_agent="Carrier 1.0")
    await other.start("127.0.0.1", 0)
    try:
        finding = (await found(with_carrier(livekit, "127.0.0.1", other.port), "carrier"))["carrier.out"]
    finally:
        await other.close()
    assert finding.status == "ok"


async def test_a_carrier_that_swallows_options(livekit: LiveKit) -> None:
    """Silence is a warning: some carriers never answer them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        file = with_carrier(livekit, "127.0.0.1", sink.getsockname()[1])
        finding = (await found(file, "carrier"))["carrier.out"]
    assert finding.status == "warning"
    assert "does not answer OPTIONS" in finding.evidence


async def test_carriers_that_cannot_be_there(livekit: LiveKit) -> None:
    """A name without an address and a port without a listener are problems."""
    nowhere = (await found(with_carrier(livekit, "carrier.invalid", 5060), "carrier"))["carrier.out"]
    closed = (await found(with_carrier(livekit, "127.0.0.1", free_port(), "tcp"), "carrier"))["carrier.out"]
    assert nowhere.status == closed.status == "problem"
    assert "has no address" in nowhere.evidence


@pytest.mark.parametrize(("figure", "expected"), [("1", "ok"), ("0", "problem"), (None, "skipped")])
async def test_a_line_that_must_be_registered(livekit: LiveKit, figure: str | None, expected: str) -> None:
    """The bridge's own figures say whether it is."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=f'bridge_registered{{trunk="line"}} {figure}\n' if figure else "")

    async with http_server(metrics) as port:
        text = FILE.format(url=livekit.url, key=livekit.api_key, redis=livekit.redis_address).replace(
            "\nrouting:",
            '\n  - {name: line, numbers: ["0053000"], host: 127.0.0.1, auth_username: "0053000", '
            'auth_password: "${SECRET}", register: {}, allowed_addresses: ["127.0.0.1/32"]}\nrouting:',
        )
        file = loaded(f"{text}bridge: {{health_port: {port}}}", {"SECRET": livekit.api_secret})
        findings = await found(file, "carrier.registration")
    assert findings["carrier.registration"].status == expected


# --- what is beside the line -----------------------------------------------------------------------


async def test_webhook_receivers(livekit: LiveKit) -> None:
    """One that verifies is fine, one that takes anything is a problem, and so is one that is not there."""

    async def strict(request: web.Request) -> web.Response:
        return web.Response(status=200 if "Authorization" in request.headers else 401)

    async def careless(request: web.Request) -> web.Response:
        return web.Response()

    expected = {}
    for handle, status in ((strict, "ok"), (careless, "problem")):
        async with http_server(handle) as port:
            url = f"http://127.0.0.1:{port}/livekit/webhook"
            findings = await found(file_for(livekit, f'webhooks: {{url: "{url}"}}'), "webhooks")
            expected[findings["webhooks.livekit"].evidence] = findings["webhooks.livekit"].status == status
    findings = await found(file_for(livekit, f'webhooks: {{url: "{url}"}}'), "webhooks")
    assert findings["webhooks.livekit"].status == "problem"
    assert all(expected.values()), expected


async def test_a_customers_receiver_without_a_good_secret(livekit: LiveKit) -> None:
    """It is reached by HEAD alone; a secret that signs nothing is a problem."""
    seen = []

    async def receiver(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.Response(status=405)

    async with http_server(receiver) as port:
        section = f'webhooks: {{endpoints: [{{name: crm, url: "http://127.0.0.1:{port}/", secret: short}}]}}'
        findings = await found(file_for(livekit, section), "webhooks")
    assert findings["webhooks.crm"].status == "ok"
    assert findings["webhooks.crm.secret"].status == "problem"
    assert seen == ["HEAD"]


@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (401, "problem"), (500, "warning")])
async def test_a_providers_key(livekit: LiveKit, status: int, expected: str) -> None:
    """One cheap request says whether the key is taken; the key itself is never shown."""

    async def models(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer sk-secret"
        return web.Response(status=status)

    async with http_server(models) as port:
        llm = f'{{provider: openai, api_key: "sk-secret", base_url: "http://127.0.0.1:{port}/v1"}}'
        findings = await found(file_for(livekit, f"speech: {{llm: {llm}}}"), "speech")
    assert findings["speech.llm"].status == expected
    assert "sk-secret" not in str(findings)


async def test_refused_calls_are_told_in_sentences(livekit: LiveKit, tmp_path: Path) -> None:
    """What the bridge wrote down of the last day, grouped, with how to look further."""
    for n in range(3):
        spool = EventSpool(tmp_path / "events", f"call_refused{n:05d}", "bridge")
        spool.emit(
            "call.refused",
            status=404,
            field="sip_trunks[].numbers",
            sentence="No inbound trunk takes a call to +7***67.",
            **{"from": "+79160000001", "to": "74951234567"},
        )
        spool.close()
    findings = await found(file_for(livekit), "calls", line=running(tmp_path, livekit, {}))
    (finding,) = findings.values()
    assert finding.status == "warning"
    assert finding.evidence.startswith("3 times, last at ")
    assert "No inbound trunk takes a call" in finding.evidence
    assert "--from +79160000001 --to 74951234567" in finding.fix


async def test_a_disk_that_is_nearly_full(livekit: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events and recordings would be lost."""
    usage = namedtuple("usage", "total used free")
    for free, expected in ((10 * 2**20, "problem"), (2 * 2**30, "warning"), (50 * 2**30, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage(10**12, 0, free))
        assert (await found(file_for(livekit), "machine.disk"))["machine.disk"].status == expected


async def test_secret_files_that_others_can_read_are_made_private(livekit: LiveKit, tmp_path: Path) -> None:
    """--fix takes the rights away, and says so."""
    secret = tmp_path / "secret"
    secret.write_text(livekit.api_secret)
    secret.chmod(0o644)
    text = FILE.format(url=livekit.url, key=livekit.api_key, redis=livekit.redis_address)
    file = loaded(text.replace('api_secret: "${SECRET}"', f'api_secret_file: "{secret}"'), {})
    (what,) = await mended(file, "secrets")
    assert "made private" in what
    assert (await found(file, "secrets"))["secrets.files"].status == "ok"


async def test_a_check_that_breaks_or_hangs_is_a_finding(
    livekit: LiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on, and nothing ends in a traceback."""

    async def hang(patient: Patient) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    async def crash(patient: Patient) -> list[Finding]:
        raise ValueError("boom")

    checks = (Check("a", "hangs", hang), Check("b", "crashes", crash), Check("c", "works", server.reachable))
    monkeypatch.setattr("provisioning.doctor.examination.CHECKS", checks)
    monkeypatch.setattr("provisioning.doctor.examination.DEADLINE_S", 0.2)
    findings = await found(file_for(livekit))
    assert findings["a"].status == findings["b"].status == "problem"
    assert "boom" in findings["b"].evidence
    assert findings["server.reachable"].status == "ok"


# --- a call ----------------------------------------------------------------------------------------


async def placed(file: LoadedConfig, line: RunningLine, folder: Path) -> Finding:
    async with aiohttp.ClientSession() as http:
        (finding,) = await call(Patient(file, line, http), to=None, report_dir=folder)
    return finding


async def test_a_call_that_nobody_takes_is_judged(livekit: LiveKit, tmp_path: Path) -> None:
    """The bridge refuses it for want of an agent; the finding says so, and a report is left."""
    file = file_for(livekit)
    await mended(file, "routing.applied")
    async with bridge_beside(livekit, tmp_path, agent_wait_timeout="0.5s") as line:
        finding = await placed(file, line, tmp_path / "report")
    assert finding.status == "problem"
    assert "503" in finding.evidence
    assert (tmp_path / "report" / "report.json").is_file()


async def test_a_call_to_a_number_that_no_trunk_has_is_judged(livekit: LiveKit, tmp_path: Path) -> None:
    """404, as nothing is applied, and where to look."""
    async with bridge_beside(livekit, tmp_path) as line:
        finding = await placed(file_for(livekit), line, tmp_path / "report")
    assert finding.status == "problem"
    assert "404" in finding.evidence
    assert finding.fix
