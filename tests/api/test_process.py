from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from telephony.api.__main__ import main
from telephony.spool import EventSpool
from telephony.spool_forwarder import HttpSink, SpoolForwarder
from tests.api.process import ApiProcess, eventually
from tests.waiting import limit
from tests.webhooks.receiver import Receiver, signature_holds

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


async def test_it_says_that_it_is_ready_answers_and_stops_when_told(
    database_url: str, tmp_path: Path
) -> None:
    """Ready file, health, metrics; SIGTERM ends an open stream, exits 0 and leaves the record whole."""
    with ApiProcess(tmp_path, database_url) as api:
        async with api.client() as http:
            assert (await http.get("/healthz")).json()["ok"] is True
            ready = (await http.get("/readyz")).json()
            assert ready["ready"]
            assert ready["checks"]["database"]["ok"]
            event = {
                "call_id": "call_abcdef",
                "source": "bridge",
                "source_seq": 1,
                "type": "call.ringing",
                "time": "2026-11-21T10:00:00+00:00",
                "data": {"from": "+15550100123"},
            }
            assert (await http.post("/v1/events", json={"events": [event]})).json()["stored"] == 1
            metrics = (await http.get("/metrics")).text
            assert 'trunkline_events_total{source="bridge",type="call.ringing"} 1.0' in metrics
            assert "+1555" not in metrics
            async with http.stream("GET", "/v1/calls/call_abcdef/stream") as stream:
                lines = stream.aiter_lines()
                assert (await anext(lines)).startswith("event: call.ringing")
                assert await asyncio.to_thread(api.stop) == 0
        api.start()
        async with api.client() as http:
            assert (await http.get("/v1/calls/call_abcdef")).json()["from_number"] == "+15550100123"
        assert api.stop() == 0
    log = api.log.read_text()
    assert "Traceback" not in log
    assert "15550100123" not in log
    assert api.key() not in log


def _main(monkeypatch: pytest.MonkeyPatch, api: ApiProcess, *arguments: str, **env: str) -> int:
    """The same in this process, since most of a start is reading modules."""
    for name, value in {**api.environment(), **env}.items():
        monkeypatch.setenv(name, value)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        return main(arguments)
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)


def test_what_keeps_it_from_starting_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A taken port, a wrong value, an unreachable or a shared database: exit 1 with what is at fault."""
    api = ApiProcess(tmp_path, f"sqlite:///{tmp_path}/record.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong = [
            ({"TRUNKLINE_API_PORT": port}, "TRUNKLINE_API_PORT"),
            ({"TRUNKLINE_API_PORT": "many"}, "TRUNKLINE_API_PORT"),
            ({"TRUNKLINE_WEBHOOK_NETWORKS": "10/8/8"}, "TRUNKLINE_WEBHOOK_NETWORKS"),
            ({"TRUNKLINE_DATABASE_URL": "mysql://x/y"}, "database_url"),
            ({"TRUNKLINE_DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, "database"),
            ({"TRUNKLINE_CONFIG": str(tmp_path / "none.yaml")}, "none.yaml"),
        ]
        for env, named in wrong:
            with monkeypatch.context() as patch:
                assert _main(patch, api, **env) == 1
            said = capsys.readouterr().err
            assert named in said, env
            assert "Traceback" not in said
    with api:
        assert _main(monkeypatch, api, TRUNKLINE_API_PORT="0") == 1
        assert "Another api process" in capsys.readouterr().err


def test_old_tables_are_brought_up_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """migrate makes the tables; --no-migrate refuses to start without them."""
    api = ApiProcess(tmp_path, f"sqlite:///{tmp_path}/record.db")
    assert _main(monkeypatch, api, "serve", "--no-migrate") == 1
    assert "migrate" in capsys.readouterr().err
    assert _main(monkeypatch, api, "migrate") == 0


async def test_kills_of_the_api_lose_no_event_and_repeat_few(database_url: str, tmp_path: Path) -> None:
    """Killed four times while calls go on: each call whole, ended once, delivered in order and signed."""
    events = tmp_path / "events"
    chance = random.Random(20261121)
    seen: list[dict[str, Any]] = []
    async with Receiver() as receiver:
        with ApiProcess(tmp_path, database_url) as api:
            async with api.client() as http:
                made = (await http.post("/v1/endpoints", json={"url": receiver.url})).json()
            stop = asyncio.Event()
            sink = HttpSink(api.base, tmp_path / "keys" / "events.key")
            forwarding = asyncio.create_task(SpoolForwarder(events, sink).run(stop))
            for number in range(24):
                _report(events, f"call_abcdef{number:02d}")
                await asyncio.sleep(chance.uniform(0.02, 0.15))
                if number % 6 == 3:
                    await asyncio.to_thread(api.kill)
                    await asyncio.to_thread(api.start)
            await eventually(lambda: _all_ended(api, 24), 60)
            await eventually(lambda: _all_delivered(api), 90)
            stop.set()
            await forwarding
            await sink.close()
            async with api.client() as http:
                for number in range(24):
                    page = (await http.get(f"/v1/calls/call_abcdef{number:02d}/events")).json()
                    assert [each["seq"] for each in page["events"]] == list(range(1, 7))
                    assert [each["type"] for each in page["events"]].count("call.ended") == 1
                    seen += page["events"]
            assert api.stop() == 0
    assert all(signature_holds(made["secret"], got.headers, got.body) for got in receiver.got)
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert set(ids) == {each["id"] for each in seen}
    assert len(ids) - len(set(ids)) <= 40
    for number in range(24):
        order = [
            got.payload["seq"] for got in receiver.got if got.payload["call_id"] == f"call_abcdef{number:02d}"
        ]
        assert list(dict.fromkeys(order)) == list(range(1, 7))
    assert made["secret"] not in api.log.read_text()


def _report(events: Path, call_id: str) -> None:
    bridge, job = EventSpool(events, call_id, "bridge"), EventSpool(events, call_id, "job")
    bridge.emit("call.ringing", **{"from": "+15550100123", "to": "+15550100100"})
    bridge.emit("call.answered", codec="PCMU")
    job.emit("turn.completed", who="agent", text="Hello.")
    job.emit("call.ended", outcome="answered", ended_by="caller")
    bridge.emit("call.ended", ended_by="caller", sip_status=200)
    bridge.close()
    job.close()


async def _all_ended(api: ApiProcess, count: int) -> bool:
    async with api.client() as http:
        found = (await http.get("/v1/calls", params={"ended": True, "limit": 200})).json()
    return len(found["calls"]) == count


async def _all_delivered(api: ApiProcess) -> bool:
    async with api.client() as http:
        found = (await http.get("/v1/deliveries", params={"status": "pending"})).json()
    return not found["deliveries"]


async def test_it_reads_its_own_machines_spool(tmp_path: Path) -> None:
    """With TRUNKLINE_SPOOL set, what the sources of the machine write appears in the record by itself."""
    events = tmp_path / "events"
    api = ApiProcess(tmp_path, f"sqlite:///{tmp_path}/record.db", TRUNKLINE_SPOOL=str(events))
    with api:
        _report(events, "call_abcdef")
        await eventually(lambda: _all_ended(api, 1))
        assert api.stop() == 0


async def test_the_forwarder_is_a_program_of_its_own(tmp_path: Path) -> None:
    """python -m telephony.spool_forwarder empties a machine's spool into an api, and stops cleanly."""
    events = tmp_path / "events"
    with ApiProcess(tmp_path, f"sqlite:///{tmp_path}/record.db") as api:
        _report(events, "call_abcdef")
        command = ["--directory", str(events), "--api", api.base]
        command += ["--key-file", str(tmp_path / "keys" / "events.key")]
        program = [sys.executable, "-m", "telephony.spool_forwarder", *command]
        forwarder = await asyncio.create_subprocess_exec(*program)
        try:
            await eventually(lambda: _all_ended(api, 1))
            forwarder.terminate()
            async with limit(15):
                assert await forwarder.wait() == 0
        finally:
            if forwarder.returncode is None:
                forwarder.kill()
                await forwarder.wait()
        assert api.stop() == 0


async def test_a_full_disk_stops_nothing_for_good(tmp_path: Path) -> None:
    """While the database cannot grow events are refused and kept by their source; then all goes on."""
    events = tmp_path / "events"
    limited = ApiProcess(tmp_path, f"sqlite:///{tmp_path}/record.db")
    with limited as api:
        _report(events, "call_abcdef00")
        sink = HttpSink(api.base, tmp_path / "keys" / "events.key")
        stop = asyncio.Event()
        forwarding = asyncio.create_task(SpoolForwarder(events, sink).run(stop))
        await eventually(lambda: _all_ended(api, 1))
        assert api.process is not None
        size = max(path.stat().st_size for path in tmp_path.glob("record.db*"))
        await asyncio.to_thread(_limit, api.process.pid, str(size))
        for number in range(1, 30):
            _report(events, f"call_abcdef{number:02d}")
        await asyncio.sleep(3)
        assert not await _all_ended(api, 30)
        await asyncio.to_thread(_limit, api.process.pid, "unlimited")
        await eventually(lambda: _all_ended(api, 30), 60)
        stop.set()
        await forwarding
        await sink.close()
        assert api.stop() == 0
    log = [json.loads(line) for line in api.log.read_text().splitlines() if line.startswith("{")]
    assert any(line["event"] == "store_unavailable" for line in log)


def _limit(pid: int, size: str) -> None:
    subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"], check=True)
