"""One bridge on real servers for the whole suite; a number, telephones and agents for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.bridge.called_phone import CalledPhone
from tests.bridge.direct import AGENT
from tests.bridge.phone import Phone
from tests.bridge.servers import Server, livekit_server, redis_server, started
from tests.contract.line import ContractLine
from tests.contract.process import BridgeProcess
from tests.contract.server_double import NOWHERE, ServerDouble
from tests.dispatch.machine import Machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.dispatch.machine import WorkerDouble


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever asks for ``path`` runs once for each way that an agent can take a call."""
    if "path" in metafunc.fixturenames:
        against_livekit_sip = metafunc.config.getoption("--livekit-sip")
        metafunc.parametrize("path", ["room"] if against_livekit_sip else ["room", "direct"])


@pytest.fixture(scope="package")
def livekit_sip_path(pytestconfig: pytest.Config) -> str | None:
    """The livekit-sip to test; None = our bridge."""
    path: str | None = pytestconfig.getoption("--livekit-sip")
    return path


@pytest.fixture(scope="package")
def contract_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the files of all processes."""
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="package")
def redis(contract_folder: Path) -> Iterator[Server]:
    """A Redis that no other bridge uses: a request for a call is taken by whichever is quickest."""
    server = started(lambda: redis_server(contract_folder))
    yield server
    server.stop()


@pytest.fixture(scope="package")
def livekit(contract_folder: Path, redis: Server) -> Iterator[Server]:
    """A livekit-server."""
    server = started(lambda: livekit_server(contract_folder, redis.port))
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def machine(
    contract_folder: Path, livekit: Server, livekit_sip_path: str | None
) -> AsyncIterator[Machine | None]:
    """The dispatcher of the direct line, which livekit-sip does not have."""
    if livekit_sip_path is not None:
        yield None
        return
    async with Machine(contract_folder, f"ws://127.0.0.1:{livekit.port}", expected=(AGENT,)) as machine:
        yield machine


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def worker(machine: Machine | None) -> AsyncIterator[WorkerDouble | None]:
    """Takes every job; its jobs are the tests' own."""
    if machine is None:
        yield None
        return
    async with machine.worker(agent=AGENT, limit=10_000) as worker:
        yield worker


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def bridge(
    contract_folder: Path,
    redis: Server,
    livekit: Server,
    machine: Machine | None,
    livekit_sip_path: str | None,
) -> AsyncIterator[BridgeProcess]:
    """The bridge under test, as a process of its own; ours must end cleanly, its log without a fault."""
    bridge = new_bridge(contract_folder, redis, livekit, livekit_sip_path, machine)
    bridge.start()
    await bridge.wait_ready()
    yield bridge
    alarms = bridge.alarms()
    exit_code = await bridge.stop()
    assert not bridge.is_ours or (exit_code, alarms) == (0, [])


def new_bridge(
    folder: Path, redis: Server, livekit: Server, livekit_sip_path: str | None, machine: Machine | None
) -> BridgeProcess:
    """A bridge that serves both audio paths, where there is a dispatcher."""
    direct = {}
    if machine is not None:
        links = folder / "links"
        direct = {"audio_path": "auto", "dispatch_socket": str(machine.path), "link_dir": str(links)}
    url = f"ws://127.0.0.1:{livekit.port}"
    return BridgeProcess(folder, url, redis.port, livekit_sip_path, **direct)


@pytest_asyncio.fixture(loop_scope="session")
async def line(
    bridge: BridgeProcess, contract_folder: Path, livekit: Server, worker: WorkerDouble | None
) -> AsyncIterator[ContractLine]:
    """A number on the bridge; trunk and rule are made by ``provision`` or ``provision_for``."""
    links = contract_folder / "links"
    async with ContractLine(bridge, f"ws://127.0.0.1:{livekit.port}", worker, links) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="session")
async def phone() -> AsyncIterator[Phone]:
    """A telephone that calls."""
    async with Phone() as phone:
        yield phone


@pytest_asyncio.fixture(loop_scope="session")
async def called() -> AsyncIterator[CalledPhone]:
    """A telephone that is called."""
    async with CalledPhone() as called:
        yield called


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def scripted(
    tmp_path_factory: pytest.TempPathFactory, livekit_sip_path: str | None
) -> AsyncIterator[ServerDouble]:
    """A bridge of its own whose livekit-server is a double, which answers as a test says."""
    folder = tmp_path_factory.mktemp("scripted")
    server = started(lambda: redis_server(folder))
    bridge = BridgeProcess(folder, NOWHERE, server.port, livekit_sip_path)
    bridge.start()
    await bridge.wait_ready()
    async with ServerDouble(bridge, server.port) as double:
        yield double
    await bridge.stop()
    server.stop()
