"""Hypothetical calls that stand for all calls which a set of trunks and rules can tell apart. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.match import Call
from provisioning.spelling import other_spelling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.objects import Message

_OTHER_NUMBER = "+99900000000001"
_OTHER_CALLER = "+99900000000002"
_OTHER_SOURCE = "198.51.100.77"
_AT_MOST = 400


@dataclass(frozen=True, slots=True)
class Probe:
    """A call, and what it stands for.

    Attributes:
        call: what is asked.
        number: the called number; empty: any that is not mentioned.
        caller: the calling number; empty: any that is not mentioned.
    """

    call: Call
    number: str
    caller: str


def probes_for(messages: Iterable[Message]) -> list[Probe]:
    """Every called number in both spellings, with every caller and a source of every trunk mentioned.

    At most 400: with more, callers are left out first, then sources.
    """
    called: dict[str, str] = {_OTHER_NUMBER: ""}
    callers: dict[str, str] = {_OTHER_CALLER: ""}
    sources: dict[str, None] = {}
    for message in messages:
        if not isinstance(message, SIPInboundTrunkInfo | SIPDispatchRuleInfo):
            continue
        for number in message.numbers:
            called[number] = number
            called.setdefault(other_spelling(number), number)
        if isinstance(message, SIPInboundTrunkInfo):
            callers.update({number: number for number in message.allowed_numbers})
            sources.update({source: None for source in map(_source_in, message.allowed_addresses) if source})
        else:
            callers.update({number: number for number in message.inbound_numbers})
    sources[_OTHER_SOURCE] = None
    who, where = list(callers.items()), list(sources)
    if len(called) * len(who) * len(where) > _AT_MOST:
        who = who[:2]
    if len(called) * len(who) * len(where) > _AT_MOST:
        where = where[:2]
    every = itertools.product(called.items(), who, where)
    return [
        Probe(Call(to_user=number, from_user=caller, source_ip=source), shown, from_whom)
        for (number, shown), (caller, from_whom), source in itertools.islice(every, _AT_MOST)
    ]


def _source_in(allowed: str) -> str | None:
    """An address that an entry of ``allowed_addresses`` lets in."""
    try:
        return str(ipaddress.ip_network(allowed, strict=False).network_address)
    except ValueError:
        return None
