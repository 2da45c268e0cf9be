"""The bus between server and bridge: Redis, and who listens on it.

Server and bridge find each other by nothing but subscriptions in one Redis (livekit/psrpc); which of them is
there can be seen in the names of its channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import AuthenticationError, RedisError

from provisioning.doctor.finding import Finding, ok, problem, skipped, warning
from provisioning.objects import Kind
from provisioning.redis_connection import connect
from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_SERVER_CHANNEL = "IOInfo|GetSIPTrunkAuthentication|REQ"
_BRIDGE_CLIENTS = "IOInfo|CLI_*|CLAIM"
_OUTBOUND_CHANNEL = "SIPInternal|CreateSIPParticipant|REQ"
_STORES = {
    Kind.INBOUND: "sip_inbound_trunk",
    Kind.OUTBOUND: "sip_outbound_trunk",
    Kind.RULE: "sip_dispatch_rule",
}
_NOT_HERE = "LiveKit Cloud and servers of others keep it to themselves."


async def redis_is_shared(patient: Patient) -> list[Finding]:
    """Whether Redis answers, and whether it is the one that the server keeps its trunks in."""
    address = patient.config.redis.address
    client = connect(patient.config.redis)
    try:
        await client.ping()
        listening = dict(await client.pubsub_numsub(_SERVER_CHANNEL))
        stored = {key for store in _STORES.values() for key in await client.hkeys(store)}
    except AuthenticationError:
        fix = "Correct redis.username and redis.password."
        return [problem("redis.reachable", f"Redis at {address} refuses the password.", fix)]
    except (RedisError, OSError, TimeoutError) as error:
        text = f"Redis at {address} does not answer: {_reason(error)}. {_NOT_HERE}"
        return [skipped("redis.reachable", text, "Correct redis.address if it is yours.")]
    finally:
        await client.aclose()
    findings = [ok("redis.reachable", f"Redis at {address} answers.")]
    if not next(iter(listening.values()), 0):
        text = f"no livekit-server listens on the Redis at {address}."
        fix = "Give server and bridge the same redis.address and db; without it every call gets 503."
        return [*findings, problem("redis.shared", text, fix)]
    try:
        known = {live.id for live in await patient.lives()}
    except TrunklineError:
        return [*findings, ok("redis.shared", "a livekit-server listens on it.")]
    if known - stored:
        text = f"a livekit-server listens on it, but {len(known - stored)} trunks and rules are not in db "
        fix = "Use the server's own db."
        return [*findings, problem("redis.shared", f"{text}{patient.config.redis.db}.", fix)]
    return [*findings, ok("redis.shared", "the livekit-server that was asked keeps its trunks in it.")]


async def bridge_listens(patient: Patient) -> list[Finding]:
    """Whether any bridge, ours or livekit-sip, is on the bus."""
    client = connect(patient.config.redis)
    try:
        clients = await client.pubsub_channels(_BRIDGE_CLIENTS)
        outbound = next(iter(dict(await client.pubsub_numsub(_OUTBOUND_CHANNEL)).values()), 0)
    except (RedisError, OSError, TimeoutError):
        return [skipped("bridge.bus", "Redis does not answer.")]
    finally:
        await client.aclose()
    if not clients and not outbound:
        text = (
            "no bridge is on the bus: calls in find nobody, calls out fail with 'no response from servers'."
        )
        return [
            problem("bridge.bus", text, "Start the bridge (`trunkline up`, or livekit-sip) on this Redis.")
        ]
    wants_out = any(trunk.is_outbound and trunk.host for trunk in patient.config.sip_trunks)
    if wants_out and not outbound:
        text = f"{len(clients)} on the bus, but none of them takes calls out."
        return [warning("bridge.bus", text, "Use a bridge that dials, or leave outbound trunks out.")]
    return [ok("bridge.bus", f"{max(len(clients), outbound)} on the bus, {outbound} of them for calls out.")]


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
