"""Media ports: even, in random order, rested, and an error that says what to widen."""

from __future__ import annotations

import random
import socket

import pytest

from telephony.clock import ManualClock
from telephony.errors import RtpError
from telephony.rtp.ports import REUSE_DELAY_S, PortPool

pytestmark = pytest.mark.component

LOOPBACK = "127.0.0.1"


def free_range(count: int) -> tuple[int, int]:
    """A range with ``count`` even ports that nobody uses at the moment."""
    rng = random.Random()
    for _ in range(200):
        low = rng.randrange(20000, 60000, 2)
        sockets: list[socket.socket] = []
        try:
            for port in range(low, low + 2 * count, 2):
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[-1].bind((LOOPBACK, port))
        except OSError:
            continue
        finally:
            for bound in sockets:
                bound.close()
        return low, low + 2 * count - 1
    pytest.fail("no free range of ports on this machine")


def take(pool: PortPool) -> int:
    """Bind, close, and give the port, which stays taken."""
    bound = pool.bind()
    port: int = bound.getsockname()[1]
    bound.close()
    return port


def test_all_even_ports_and_no_other() -> None:
    """Every even port of the range is given out once, from an odd lower end too."""
    low, high = free_range(6)
    pool = PortPool(LOOPBACK, low - 1, high, clock=ManualClock())
    ports = [take(pool) for _ in range(6)]
    assert sorted(ports) == list(range(low, high, 2))
    assert pool.taken == 6


def test_order_is_random() -> None:
    """Two pools of one range give it out in different orders."""
    low, high = free_range(12)
    orders = [
        [take(pool) for _ in range(12)]
        for pool in (
            PortPool(LOOPBACK, low, high, clock=ManualClock(), random_order=random.Random(seed))
            for seed in (1, 2)
        )
    ]
    assert orders[0] != orders[1]


def test_exhausted_range_names_the_setting() -> None:
    """Without a free port the error names rtp_port, says how many are taken and what to do."""
    low, high = free_range(2)
    pool = PortPool(LOOPBACK, low, high, clock=ManualClock())
    take(pool)
    take(pool)
    with pytest.raises(RtpError, match=rf"{low}-{high}: 2 are in calls") as error:
        pool.bind()
    assert error.value.field == "rtp_port"
    assert error.value.fix is not None
    assert "rtp_port" in error.value.fix
    assert error.value.retryable


def test_port_rests_before_it_is_used_again() -> None:
    """A port that was given back is refused until its rest is over, then given out again."""
    low, high = free_range(1)
    clock = ManualClock()
    pool = PortPool(LOOPBACK, low, high, clock=clock)
    port = take(pool)
    pool.release(port)
    with pytest.raises(RtpError, match="1 rest after one"):
        pool.bind()
    clock.advance(REUSE_DELAY_S)
    assert take(pool) == port


def test_ports_of_other_programs_are_passed_over() -> None:
    """A port that another program took is skipped, and tried again later."""
    low, high = free_range(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, low))
        pool = PortPool(LOOPBACK, low, high, clock=ManualClock())
        assert take(pool) == low + 2
        with pytest.raises(RtpError, match="other programs"):
            pool.bind()
    assert take(pool) == low


def test_releasing_what_is_not_taken_changes_nothing() -> None:
    """A port given back twice, or never taken, does not enter the pool twice."""
    low, high = free_range(1)
    clock = ManualClock()
    pool = PortPool(LOOPBACK, low, high, clock=clock)
    port = take(pool)
    for number in (port, port, 4):
        pool.release(number)
    clock.advance(REUSE_DELAY_S)
    take(pool)
    with pytest.raises(RtpError):
        pool.bind()


def test_zero_lets_the_system_choose_even_ports() -> None:
    """The range 0 gives ports of the system's choice, even ones only, any number of them."""
    pool = PortPool.parse(LOOPBACK, "0")
    sockets = [pool.bind() for _ in range(20)]
    ports = {bound.getsockname()[1] for bound in sockets}
    for bound in sockets:
        bound.close()
    assert len(ports) == 20
    assert all(port % 2 == 0 for port in ports)
    for port in ports:
        pool.release(port)
    assert pool.taken == 0


def test_sockets_do_not_block_and_have_a_buffer() -> None:
    """A bound socket is non-blocking and has the receive buffer that a stall needs."""
    with PortPool.parse(LOOPBACK, "0").bind() as bound:
        assert bound.getblocking() is False
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 128 * 1024


def test_range_as_text() -> None:
    """LOW-HIGH and a single port are understood."""
    low, high = free_range(1)
    assert take(PortPool.parse(LOOPBACK, f"{low}-{high}")) == low


@pytest.mark.parametrize(
    "text", ["", "a-b", "20000-", "20000-10000", "20001-20001", "80-90", "60000-70000", "-5"]
)
def test_unusable_ranges_are_refused(text: str) -> None:
    """What is no range, is empty, has no even port or leaves the allowed ports is refused with an example."""
    with pytest.raises(RtpError) as error:
        PortPool.parse(LOOPBACK, text)
    assert error.value.field == "rtp_port"
    assert error.value.fix is not None
    assert "10000-20000" in error.value.fix


def test_address_of_another_machine_is_refused() -> None:
    """An address that is not this machine's is named together with the setting."""
    with pytest.raises(RtpError, match=r"192\.0\.2\.1") as error:
        PortPool.parse("192.0.2.1", "0").bind()
    assert error.value.field == "listen_ip"


async def test_takes_the_running_loops_clock() -> None:
    """Without a clock of its own the pool measures rest by the running loop."""
    low, high = free_range(1)
    pool = PortPool(LOOPBACK, low, high)
    pool.release(take(pool))
    with pytest.raises(RtpError, match="1 rest"):
        pool.bind()
