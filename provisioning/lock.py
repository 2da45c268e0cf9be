"""One apply at a time, wherever they run: a lock file on the machine, then a lease at livekit-server.

Mutual exclusion rests on one thing only: that the server's list shows what was made before it was asked.
Whoever wants in makes a lease and lists; only who then finds no other one is in, so of two at once at most
one is. (livekit-server v1.13.5 keeps these objects in one Redis hash, which has that property.)

A lease is renewed while work goes on. It is dead, and is cleared away, when it has not changed for
``LEASE_S`` on the observer's own clock, or when it was made under the lock file that we hold ourselves: then
its process is gone. Whoever could not renew stops writing ``_MARGIN_S`` before others may take over.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import random
import secrets
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from provisioning.lease import Lease, lease_message, read_lease
from provisioning.objects import Kind
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from provisioning.objects import Live
    from provisioning.sip_service import SipService

log = get_logger(__name__)

LEASE_S = 15.0
_MARGIN_S = 5.0
_RENEW_EVERY_S = 2.0
_POLL_S = 0.1
_RETREAT_S = 0.4
_RELEASE_WITHIN_S = 3.0


class ApplyLock:
    """Held while trunks and rules are written. Use as an async context manager.

    Args:
        service: the server that is written to.
        folder: where this machine's lock files are; None: where the system keeps such things.
        wait_s: how long to wait for another apply to finish.
        on_wait: called once, with who it is, when there is another one.

    Raises:
        LiveKitError: the other one did not finish in time, or the server cannot be reached.
    """

    def __init__(
        self,
        service: SipService,
        *,
        folder: Path | None = None,
        wait_s: float = 30.0,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._service = service
        self._folder = folder or Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        self._wait_s = wait_s
        self._on_wait = on_wait
        self._file: int | None = None
        self._id = ""
        self._lease = Lease(secrets.token_hex(8), "", f"{os.uname().nodename}, process {os.getpid()}")
        self._renewal: asyncio.Task[None] | None = None
        self._held_until = 0.0
        self._unchanged: dict[str, tuple[Lease, float]] = {}

    async def __aenter__(self) -> Self:
        deadline = time.monotonic() + self._wait_s
        try:
            await self._lock_machine(deadline)
            await self._take_lease(deadline)
        except BaseException:
            await self._release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._release()

    async def clear_away(self) -> None:
        """Clear away the lease of a killed apply of this machine, where nothing else is to be done."""
        try:
            await self._lock_machine(time.monotonic())
            await self._others()
        except LiveKitError as error:
            log.info("provision_lock_not_cleared", reason=error.message)
        finally:
            await self._release()

    @property
    def is_held(self) -> bool:
        """Whether nobody else can be writing now."""
        return time.monotonic() < self._held_until

    def ensure_held(self) -> None:
        """Insist on the lock before a write.

        Raises:
            LiveKitError: the lease could not be renewed in time; somebody else may be at it.
        """
        if not self.is_held:
            raise LiveKitError(
                "the lock on the line was lost: it could not be renewed in time.",
                fix="Run apply again; it goes on from what is there.",
                retryable=True,
            )

    # The machine

    async def _lock_machine(self, deadline: float) -> None:
        name = hashlib.sha256(self._service.url.encode()).hexdigest()[:16]
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(
                self._folder / f"trunkline-provision-{os.getuid()}-{name}.lock", flags, 0o600
            )
        except OSError as error:
            raise LiveKitError(f"cannot open the lock file in {self._folder}: {error.strerror}.") from error
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await self._wait(deadline, "on this machine")
        self._lease = replace(self._lease, machine=_identity(self._file))

    # The server

    async def _take_lease(self, deadline: float) -> None:
        while True:
            others = await self._others()
            if not others:
                await self._make_lease()
                others = await self._others()
                if not others:
                    self._renewal = asyncio.create_task(self._renew(), name="provision-lock")
                    return
                await self._drop_lease()  # two came at once: both step back, for times that differ
                await asyncio.sleep(random.uniform(0, _RETREAT_S))
            await self._wait(deadline, others[0].who)

    async def _others(self) -> list[Lease]:
        """Leases of others that live; dead ones are cleared away."""
        living = []
        for live in await self._service.list_kind(Kind.OUTBOUND):
            lease = read_lease(live.message)
            if lease is None or live.id == self._id:
                continue
            if self._is_dead(live, lease):
                log.info("provision_lock_cleared", who=lease.who)
                await self._service.delete(Kind.OUTBOUND, live.id)
            else:
                living.append(lease)
        return living

    def _is_dead(self, live: Live, lease: Lease) -> bool:
        if lease.machine and lease.machine == self._lease.machine:
            return True
        before, since = self._unchanged.get(live.id, (None, 0.0))
        if before != lease:
            self._unchanged[live.id] = (lease, time.monotonic())
            return False
        return time.monotonic() - since > LEASE_S

    async def _make_lease(self) -> None:
        asked = time.monotonic()
        made = await self._service.create(Kind.OUTBOUND, lease_message(self._lease))
        self._id, self._held_until = made.id, asked + LEASE_S - _MARGIN_S

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            if not self.is_held:
                return  # others may be in by now: a renewal would bring the lease back beside theirs
            asked = time.monotonic()
            self._lease = replace(self._lease, beat=self._lease.beat + 1)
            try:
                async with asyncio.timeout(_MARGIN_S):
                    await self._service.replace(Kind.OUTBOUND, self._id, lease_message(self._lease))
            except (LiveKitError, TimeoutError) as error:
                # Not lost yet: the time that was promised has the last word.
                log.info("provision_lock_not_renewed", reason=str(error) or type(error).__name__)
                continue
            self._held_until = asked + LEASE_S - _MARGIN_S

    async def _drop_lease(self) -> None:
        object_id, self._id, self._held_until = self._id, "", 0.0
        if object_id:
            await self._service.delete(Kind.OUTBOUND, object_id)

    async def _wait(self, deadline: float, who: str) -> None:
        if self._on_wait is not None:
            self._on_wait(who)
            self._on_wait = None
        if time.monotonic() > deadline:
            raise LiveKitError(
                f"another apply ({who}) has been running for more than {self._wait_s:g} s.",
                fix=f"Wait for it to finish; one that was killed is cleared away within {LEASE_S:g} s.",
                retryable=True,
            )
        await asyncio.sleep(_POLL_S)

    async def _release(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
        try:
            async with asyncio.timeout(_RELEASE_WITHIN_S):
                await self._drop_lease()
        except (LiveKitError, TimeoutError) as error:
            log.info("provision_lock_left_behind", reason=str(error) or type(error).__name__)
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def _identity(file: int) -> str:
    """What no two lock files that are locked at the same time have in common: this boot, device, inode.

    Two containers on one host have the host's name alike, but not the device of their temporary folders.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    about = os.fstat(file)
    return hashlib.sha256(f"{boot}:{about.st_dev}:{about.st_ino}".encode()).hexdigest()[:16]
