"""Lines with a login at registrars that restart, are away, change their minds, or refuse.

Real sockets and a real clock, all lines at the same time. Each registrar is away for a while and comes back
on its port with nothing remembered; from then on is measured until the line is registered again. One
registrar wants longer registrations (423), one new nonces all the time, one refuses the password, which must
not be tried again.

    .venv/bin/python bench/registrations.py            # about seven minutes; exit code 0 or 1
    .venv/bin/python bench/registrations.py --quick    # about one, outages of a minute left out
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from telephony.bridge.register import Account, Registration
from telephony.bridge.register_policy import State
from telephony.clock import LoopClock
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.uri import SipUri
from tests.bridge.registrar_double import LOGIN, PASSWORD, Registrar
from tests.waiting import until

HOST = "127.0.0.1"
SHORT_S, SHORT_BACK_S = 60.0, 5.0
LONG_BACK_S = 60.0
_SETTLED_S = 3.0


class Carrier:
    """A registrar on a port that it keeps, and the line that we have there."""

    def __init__(self, ours: SipEndpoint, clock: LoopClock) -> None:
        self._ours = ours
        self._clock = clock
        self._endpoint = SipEndpoint(clock, "Registrar")
        self.registrar: Registrar
        self.line: Registration

    async def open(self, *, password: str = PASSWORD, min_expires: int = 0) -> None:
        """Start, and let the line register; it goes on by itself."""
        await self._endpoint.start(HOST, 0)
        self.registrar = Registrar(self._endpoint)
        self.registrar.min_expires = min_expires
        at = SipUri(None, HOST, self._endpoint.port)
        account = Account(f"line-{at.port}", at, LOGIN, password)
        self.line = Registration(account, self._ours, self._clock)
        self.line.start()

    async def outage(self, seconds: float) -> float:
        """Be away so long; seconds from the return until the line is registered here."""
        port = self._endpoint.port
        await self._endpoint.close()
        await asyncio.sleep(seconds)
        self._endpoint = SipEndpoint(self._clock, "Registrar")
        await self._endpoint.start(HOST, port)
        self.registrar = Registrar(self._endpoint)
        back = self._clock.now()
        await until(lambda: self.registrar.bound, 2 * LONG_BACK_S)
        return self._clock.now() - back

    async def close(self) -> None:
        """Give back, and close."""
        await self.line.close()
        await self._endpoint.close()


async def run(outages: list[float], again: int, report: Report) -> None:
    """All lines at once; ``again`` is how often the outages come."""
    clock = LoopClock()
    ours = SipEndpoint(clock)
    await ours.start(HOST, 0)
    carriers = [Carrier(ours, clock) for _ in outages]
    longer, nonces, refusing = (Carrier(ours, clock) for _ in range(3))
    try:
        for one in carriers:
            await one.open()
        await nonces.open()
        await longer.open(min_expires=120)
        await refusing.open(password="wrong")
        await until(lambda: all(one.line.registered for one in (*carriers, nonces, longer)), 10)
        began = clock.now()
        forgetting = asyncio.create_task(_change_nonces(nonces))
        back: dict[float, list[float]] = {seconds: [] for seconds in outages}
        for _ in range(again):
            found = await asyncio.gather(*(one.outage(s) for one, s in zip(carriers, outages, strict=True)))
            for seconds, took in zip(outages, found, strict=True):
                back[seconds].append(took)
            await asyncio.sleep(_SETTLED_S)
        forgetting.cancel()
        await asyncio.gather(forgetting, return_exceptions=True)
        lasted = clock.now() - began
        for seconds, times in back.items():
            target = SHORT_BACK_S if seconds <= SHORT_S else LONG_BACK_S
            name = f"registrar away for {seconds:.0f} s → registered"
            report.figure(name, "s", times, target=target, judged="max")
        _judge(longer, nonces, refusing, lasted, report)
    finally:
        for one in (*carriers, longer, nonces, refusing):
            await one.close()
        await ours.close()


async def _change_nonces(carrier: Carrier) -> None:
    while True:
        await asyncio.sleep(5.0)
        bound = carrier.registrar.bound
        carrier.registrar.restart()
        carrier.registrar.bound = bound


def _judge(longer: Carrier, nonces: Carrier, refusing: Carrier, lasted: float, report: Report) -> None:
    registered = [float(longer.line.registered), float(nonces.line.registered)]
    report.figure("423 and new nonces: registered", "lines", [sum(registered)], target=2, at_least=True)
    # One without credentials, one with them; a third would be another try.
    tries = len(refusing.registrar.asked)
    name = f"refused password: REGISTERs in {lasted:.0f} s"
    report.figure(name, "requests", [float(tries)], target=2 * (1 + lasted // 600))
    shown = refusing.line.state is State.REFUSED and "password" in refusing.line.reason
    report.figure("refused password: said why", "lines", [float(shown)], target=1, at_least=True)


def main() -> int:
    """Measure and report."""
    options = arguments(__doc__ or "").parse_args()
    logs.configure("ERROR")
    began = time.monotonic()
    report = Report("Lines with a login")
    outages = [6.0, 12.0, 28.0] if options.quick else [6.0, 15.0, 30.0, 45.0, 58.0, 75.0, 120.0]
    asyncio.run(run(outages, 1 if options.quick else 2, report))
    report.notes.append(f"{time.monotonic() - began:.0f} s in all")
    return report.show(as_json=options.as_json)


if __name__ == "__main__":
    raise SystemExit(main())
