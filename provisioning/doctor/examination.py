"""Run the checks side by side, each with a deadline of its own; one that breaks is a finding, not a crash."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.doctor.checks import (
    address,
    agent,
    bridge,
    bus,
    carrier,
    machine,
    outbound,
    providers,
    rejected,
    routing,
    secret_files,
    server,
    webhooks,
)
from provisioning.doctor.finding import Finding, problem, skipped
from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from provisioning.doctor.patient import Patient

DEADLINE_S = 12.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        id: its name, ``subject.aspect``; a module may give several findings under longer names.
        title: what is looked at, in words.
        look: does it.
    """

    id: str
    title: str
    look: Callable[[Patient], Awaitable[Sequence[Finding]]]


CHECKS: tuple[Check, ...] = (
    Check("server.reachable", "livekit-server answers", server.reachable),
    Check("server.key", "its key and secret are right", server.key),
    Check("server.clock", "clocks agree", server.clock),
    Check("redis", "Redis answers and is the server's own", bus.redis_is_shared),
    Check("bridge.bus", "a bridge listens on the bus", bus.bridge_listens),
    Check("bridge.sip", "SIP is answered", bridge.sip_port),
    Check("bridge.health", "the bridge is well", bridge.health),
    Check("bridge.media", "there are media ports enough", bridge.media_ports),
    Check("address", "the announced address can be reached", address.advertised),
    Check("address.firewall", "what the firewall must let in", address.firewall),
    Check("agent", "the agent is there and takes a job", agent.answers),
    Check("routing.applied", "the file is applied", routing.applied),
    Check("routing.rules", "every rule can match", routing.rules_match),
    Check("routing.open", "no trunk is open to the world", routing.open_trunks),
    Check("routing.numbers", "numbers are written as LiveKit reads them", routing.numbers),
    Check("carrier", "the carriers answer", carrier.answers),
    Check("carrier.registration", "lines are registered", carrier.registered),
    Check("outbound.guard", "the guard lets calls out to what is allowed", outbound.guard),
    Check("calls.rejected", "INVITEs refused lately", rejected.lately),
    Check("webhooks", "webhook receivers are there and signed for", webhooks.receivers),
    Check("speech", "speech providers accept their keys", providers.keys),
    Check("secrets", "secret files are private", secret_files.private),
    Check("machine.disk", "disk is free", machine.disk),
    Check("machine.zones", "time zones are known", machine.time_zones),
    Check("machine.limits", "files and buffers suffice", machine.limits),
)
"""Every check, in the order in which a person would make them."""


async def examine(
    patient: Patient,
    *,
    only: Sequence[str] = (),
    on_done: Callable[[Check], None] | None = None,
) -> list[Finding]:
    """Make all checks, or those whose id begins with one of ``only``.

    Returns:
        Findings in the order of ``CHECKS``.
    """
    chosen = [check for check in CHECKS if not only or check.id.startswith(tuple(only))]

    async def one(check: Check) -> list[Finding]:
        findings = await _look(check, patient)
        if on_done is not None:
            on_done(check)
        return findings

    groups = await asyncio.gather(*(one(check) for check in chosen))
    return [finding for group in groups for finding in group]


async def _look(check: Check, patient: Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return list(await check.look(patient))
    except TimeoutError:
        fix = f"See what is above it first, then `provision doctor --only {check.id}`."
        return [problem(check.id, f"did not come to an end within {DEADLINE_S:g} s.", fix)]
    except TrunklineError as error:
        return [skipped(check.id, error.message, error.fix or "")]
    except Exception as error:
        text = f"the check itself failed: {type(error).__name__}: {error}."
        return [problem(check.id, text, "That is a fault of the doctor's own: report it with this line.")]


async def mend(findings: Sequence[Finding]) -> list[tuple[Finding, str]]:
    """Do what is safe to do; gives what was done, or why it failed, for each."""
    done = []
    for finding in findings:
        if finding.mend is not None:
            try:
                done.append((finding, await finding.mend()))
            except (TrunklineError, OSError) as error:
                done.append((finding, f"failed: {error}"))
    return done
