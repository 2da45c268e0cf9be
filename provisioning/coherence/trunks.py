"""Problems and notes of one trunk, filled by its carrier's facts. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioning.carriers.pack import load_pack
from provisioning.exposure import is_open_to_the_world
from provisioning.reading.problem import Note, Path, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.sections.trunks import Trunk

_IPV4 = re.compile(r"^\d+\.\d+\.\d+\.\d+$")
_RUSSIAN_WITH_8 = re.compile(r"^\+?8[0-9]{10}$")


def trunk_problems(trunk: Trunk, path: Path) -> Iterator[Problem]:
    """What makes a trunk impossible."""
    if trunk.inbound_only and trunk.outbound_only:
        yield Problem((*path, "outbound_only"), "inbound_only and outbound_only exclude each other.")
    yield from _credential_problems(trunk, path)
    yield from _platform_problems(trunk, path)
    if isinstance(trunk.metadata, str) and trunk.id is None:
        yield Problem(
            (*path, "metadata"),
            "must be a mapping: the mark by which we know our own is kept in it.",
            fix="Write metadata: {text: …}.",
        )
    if trunk.id is not None and not (trunk.inbound_only or trunk.outbound_only):
        yield Problem((*path, "id"), "names one trunk, but the entry makes two: calls in and calls out.")
    if trunk.outbound_only and not trunk.numbers:
        yield Problem((*path, "numbers"), "a trunk for calls out needs the number that it shows.")
    if trunk.outbound_only and trunk.host is None:
        ask = load_pack(trunk.carrier).facts.host.ask
        yield Problem((*path, "host"), "is missing: where do calls out go?", fix=ask or None)
    credentials = trunk.challenges_callers
    if trunk.is_inbound and not (trunk.numbers or trunk.allowed_addresses or credentials):
        yield Problem(
            path,
            "LiveKit wants at least one of numbers, allowed_addresses, or auth_username and auth_password.",
        )


def _credential_problems(trunk: Trunk, path: Path) -> Iterator[Problem]:
    if (trunk.auth_username is None) != (trunk.auth_password is None):
        missing = "auth_password" if trunk.auth_password is None else "auth_username"
        yield Problem((*path, missing), f"{missing} is missing: half a credential is asked of nobody.")
    elif trunk.auth_required and trunk.auth_username is None:
        yield Problem(
            (*path, "auth_required"),
            "calls in must authenticate, but auth_username and auth_password are missing.",
        )
    if trunk.register_line is not None and trunk.host is None and trunk.register_line.registrar is None:
        yield Problem((*path, "register"), "where to register is not said.", fix="Give host or registrar.")


def _platform_problems(trunk: Trunk, path: Path) -> Iterator[Problem]:
    pack = load_pack(trunk.carrier)
    if not pack.platforms:
        return
    if trunk.platform is None and len(pack.platforms) > 1:
        yield Problem(
            (*path, "platform"),
            f"{pack.name} exists on two platforms, and nothing here can tell which one yours is.",
            fix="Write platform: v2 (cabinet my.novofon.ru) or platform: v1 (the older cabinet).",
        )
    elif trunk.platform is not None and trunk.platform not in pack.platforms:
        known = " and ".join(pack.platforms)
        yield Problem((*path, "platform"), f"{pack.name} is known on platform {known} only.")


def trunk_notes(trunk: Trunk, path: Path) -> Iterator[Note]:
    """What a trunk does that its lines do not say."""
    yield from _exposure_notes(trunk, path)
    yield from _number_notes(trunk, path)
    if trunk.auth_username is not None and trunk.is_inbound and not trunk.challenges_callers:
        yield Note(
            (*path, "auth_username"),
            "user and password are our login at the carrier; calls in are not asked for them.",
            fix="Write auth_required: true if they are to be.",
        )
    if trunk.is_outbound and not trunk.outbound_only and not trunk.numbers:
        yield Note((*path, "name"), "no outbound trunk is made: there is no number to show.")
    for n, codec in enumerate(trunk.media.codecs if trunk.media else ()):
        if codec.name == "opus":
            yield Note((*path, "media", "codecs", n), "LiveKit speaks no Opus on a SIP leg; it is left out.")
    if load_pack(trunk.carrier).known("register_needed") and trunk.register_line is None and trunk.is_inbound:
        yield Note(
            (*path, "carrier"),
            "calls in come only to a registered line; the embedded bridge registers, livekit-sip cannot.",
        )


def _exposure_notes(trunk: Trunk, path: Path) -> Iterator[Note]:
    if is_open_to_the_world(trunk) and not trunk.open_to_the_world:
        key = "allowed_addresses" if trunk.allowed_addresses else "name"
        yield Note(
            (*path, key),
            f"anybody in the world can call in through trunk {trunk.name!r}; apply will refuse it.",
            fix="Give the carrier's ranges in allowed_addresses, or auth_username and auth_password, "
            "or write open_to_the_world: true.",
        )
    for n, address in enumerate(trunk.allowed_addresses or ()):
        if "/" not in address and trunk.is_inbound:
            yield Note(
                (*path, "allowed_addresses", n),
                f"{address} without a range is also believed when a caller merely writes it in From.",
                fix=f"Write {address}/32." if _IPV4.match(address) else "Write a range.",
            )


def _number_notes(trunk: Trunk, path: Path) -> Iterator[Note]:
    if trunk.is_inbound and not trunk.numbers:
        yield Note((*path, "name"), "takes calls to any number that no other trunk has.")
    for n, number in enumerate(trunk.numbers):
        if _RUSSIAN_WITH_8.match(re.sub(r"[ ()-]", "", number)):
            yield Note(
                (*path, "numbers", n),
                f"LiveKit only puts a plus before {number}, which makes it a number in Vietnam.",
                fix="Write a Russian number with +7.",
            )
