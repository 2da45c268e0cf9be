"""Which carrier lines the bridge of this machine registers, as the bridge's file has them. Pure.

A trunk is registered that says how (``register``), or whose carrier is known to send calls in to a
registered line only; for both there must be a login with its password, and a registrar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.carriers.fill import filled
from provisioning.carriers.pack import load_pack
from provisioning.sections.trunks import Registration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.config import LineConfig
    from provisioning.sections.trunks import Trunk


def registrations(config: LineConfig, *, secrets: bool) -> list[dict[str, Any]]:
    """The bridge's ``sip_registrations``; without secrets each password must be in its environment."""
    entries = [entry for trunk in config.sip_trunks for entry in _of_trunk(filled(trunk))]
    return entries if secrets else [_without_password(entry) for entry in entries]


def _without_password(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "password"}


def _of_trunk(trunk: Trunk) -> Iterator[dict[str, Any]]:
    wanted = trunk.register_line
    if wanted is None and load_pack(trunk.carrier).known("register_needed") and trunk.is_inbound:
        wanted = Registration()
    if wanted is None:
        return
    registrar = wanted.registrar or trunk.host
    username = wanted.username or trunk.auth_username
    if not registrar or not username or trunk.auth_password is None:
        return
    port = f":{trunk.port}" if trunk.port and wanted.registrar is None and trunk.transport != "tls" else ""
    entry: dict[str, Any] = {
        "name": trunk.name,
        "registrar": f"{registrar}{port}",
        "username": username,
        "password": trunk.auth_password.get_secret_value(),
        "auth_username": wanted.auth_username or trunk.auth_username or "",
        "domain": wanted.domain or "",
        "expiry": f"{wanted.expiry:g}s",
        "keepalive": f"{wanted.keepalive:g}s",
        "transport": "tcp" if trunk.transport == "tcp" else "udp",
    }
    # Where the trunk has the login among its numbers, the calls find it as they are.
    if trunk.numbers and username not in trunk.numbers:
        entry["number"] = trunk.numbers[0]
    yield entry
