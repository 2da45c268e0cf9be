"""What the parts of a call tell the user agent core, so that none of them needs to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.session import DialogSession
    from telephony.sip.stack import Stack


class Core(Protocol):
    """What sessions and incoming INVITEs tell the user agent core."""

    @property
    def stack(self) -> Stack:
        """Transports and transactions."""

    def established(self, session: DialogSession) -> None:
        """A dialog began: requests within it go to the session."""

    def departed(self, session: DialogSession) -> None:
        """A dialog ended."""

    def settled(self, invite: IncomingInvite) -> None:
        """An INVITE has its final response, or never gets one."""
