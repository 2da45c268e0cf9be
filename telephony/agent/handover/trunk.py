"""Whom to dial for a person behind the assistant, and through which trunk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit import api

from telephony.errors import TransferError

if TYPE_CHECKING:
    from livekit.agents import JobContext

_SIP = re.compile(r"^sip:(?:(?P<user>[^@;?]+)@)?(?P<host>[^;?]+)(?P<params>;[^?]*)?")
_TRANSPORTS = {"udp": api.SIPTransport.SIP_TRANSPORT_UDP, "tcp": api.SIPTransport.SIP_TRANSPORT_TCP}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a second leg goes.

    Attributes:
        user: the number or name that is called.
        trunk_id: LiveKit's id of a stored trunk; empty where ``host`` is called itself.
        host: ``host`` or ``host:port``.
        transport: LiveKit's number.
    """

    user: str
    trunk_id: str = ""
    host: str = ""
    transport: api.SIPTransport = api.SIPTransport.SIP_TRANSPORT_AUTO


def direct_destination(target: str) -> Destination | None:
    """A ``sip:`` address, called at its own host; None for a telephone number."""
    found = _SIP.match(target)
    if found is None:
        return None
    transport = re.search(r";transport=(\w+)", found["params"] or "", re.IGNORECASE)
    number = _TRANSPORTS.get(transport[1].lower()) if transport else None
    return Destination(
        found["user"] or "operator",
        host=found["host"],
        transport=api.SIPTransport.SIP_TRANSPORT_AUTO if number is None else number,
    )


async def find_destination(ctx: JobContext, target: str, trunk: str | None) -> Destination:
    """How a ``sip:`` or ``tel:`` address is dialled.

    Args:
        trunk: the name of the outbound trunk for telephone numbers; None where there is only one.

    Raises:
        TransferError: no such trunk is at livekit-server.
        livekit.api.ServerError: the server refused to list them.
    """
    direct = direct_destination(target)
    if direct is not None and trunk is None:
        return direct
    user = direct.user if direct is not None else target.removeprefix("tel:")
    listed = await ctx.api.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest())
    fitting = [one for one in listed.items if trunk is None or trunk in (one.name, one.sip_trunk_id)]
    if len(fitting) != 1:
        wanted = f"called {trunk}" if trunk else "to choose"
        raise TransferError(
            f"there are {len(fitting)} outbound trunks {wanted}.",
            outcome="failed",
            cause="No trunk to dial the operator through.",
            field="operator.trunk",
            fix="Name one outbound trunk of config/livekit-sip.yaml in the assistant's file.",
        )
    return Destination(user, trunk_id=fitting[0].sip_trunk_id)
