"""What a trunk becomes when its carrier's facts fill in what the file leaves open. Pure but for the packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.carriers.pack import load_pack

if TYPE_CHECKING:
    from provisioning.sections.trunks import Trunk

CALLED_NUMBER_ATTRIBUTE = "carrier.calledNumber"
"""Participant attribute that takes the header with the dialled number, at carriers that send one."""


def filled(trunk: Trunk) -> Trunk:
    """The trunk with everything that is known of its carrier; what the file says is never overruled."""
    pack = load_pack(trunk.carrier)
    changes: dict[str, Any] = {}
    for name in ("host", "port", "transport", "from_host", "dial_format"):
        if getattr(trunk, name) is None and pack.known(name) is not None:
            changes[name] = pack.known(name)
    if trunk.allowed_addresses is None and pack.known("source_ranges") is not None:
        changes["allowed_addresses"] = list(pack.known("source_ranges"))
    header = pack.known("called_number_header")
    if header is not None and header not in trunk.headers_to_attributes:
        changes["headers_to_attributes"] = {**trunk.headers_to_attributes, header: CALLED_NUMBER_ATTRIBUTE}
    if "outbound" not in pack.directions:
        changes["inbound_only"] = True
    if "inbound" not in pack.directions:
        changes["outbound_only"] = True
    if changes.get("transport") == "tls" and "port" in changes:
        changes["port"] = None
    result = trunk.model_copy(update=changes)
    if result.host is None and not result.outbound_only:
        result = result.model_copy(update={"inbound_only": True})
    return result
