"""Make livekit-server match the file: what is missing is made, what differs is replaced in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from google.protobuf.json_format import MessageToDict
from livekit.protocol.sip import SIPDispatchRuleInfo

from provisioning.desired import Desired, desired_objects, with_trunk_ids
from provisioning.objects import Kind, Live, Message, empty_message
from provisioning.ownership import Mark, read_metadata, short_hash, write_metadata
from provisioning.sip_service import SipService
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.config import LineConfig

log = get_logger(__name__)

_SECRET_FIELDS = frozenset({"auth_password", "rule"})


@dataclass(frozen=True, slots=True)
class Change:
    """One write that was made."""

    action: Literal["created", "replaced"]
    kind: Kind
    key: str
    id: str


@dataclass(slots=True)
class ApplyResult:
    """What an apply did; ``ids`` maps every key of the file to LiveKit's id."""

    changes: list[Change] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> int:
        """How many writes livekit-server was asked for."""
        return len(self.changes)


async def apply_line(
    config: LineConfig,
    *,
    url: str,
    api_key: str,
    api_secret: str,
    on_change: Callable[[Change], None] | None = None,
) -> ApplyResult:
    """Bring trunks and rules of a line into being; run again it writes nothing.

    Args:
        config: the operator's file.
        url: livekit-server's URL.
        api_key: one of its keys.
        api_secret: the key's secret.
        on_change: called after each write.

    Raises:
        LiveKitError: the server cannot be reached or refuses; what was written before stays and the
            next run goes on from there.
    """
    result = ApplyResult()
    async with SipService(url, api_key, api_secret) as service:
        owned = _owned(await service.list_all(), config.line)
        for desired in desired_objects(config):
            live = owned.get(desired.key)
            message = _complete(desired, config.line, result.ids)
            if live is None:
                live = await service.create(desired.kind, message)
                change = Change("created", desired.kind, desired.key, live.id)
            elif _plain(live.message) != _plain(message):
                await service.replace(desired.kind, live.id, message)
                change = Change("replaced", desired.kind, desired.key, live.id)
            else:
                change = None
            result.ids[desired.key] = live.id
            if change is not None:
                log.info("provision_change", action=change.action, key=change.key, object_id=change.id)
                result.changes.append(change)
                if on_change is not None:
                    on_change(change)
    return result


def _owned(lives: list[Live], line: str) -> dict[str, Live]:
    result: dict[str, Live] = {}
    for live in lives:
        _, mark = read_metadata(live.message.metadata)
        if mark is not None and mark.line == line:
            result.setdefault(mark.key, live)
    return result


def _complete(desired: Desired, line: str, ids: dict[str, str]) -> Message:
    message = empty_message(desired.kind)
    message.CopyFrom(desired.message)  # type: ignore[arg-type]
    if isinstance(message, SIPDispatchRuleInfo):
        message = with_trunk_ids(message, ids)
    fields = {
        name: short_hash(value) for name, value in _plain(message).items() if name not in _SECRET_FIELDS
    }
    message.metadata = write_metadata(desired.user_metadata, Mark(line, desired.key, fields))
    return message


def _plain(message: Message) -> dict[str, Any]:
    plain = MessageToDict(message, preserving_proto_field_name=True)
    for name in ("sip_trunk_id", "sip_dispatch_rule_id"):
        plain.pop(name, None)
    result: dict[str, Any] = _without_empty(plain)
    return result


def _without_empty(value: Any) -> Any:
    """Without empty messages: the server adds ``media {}`` to whatever it stores."""
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    return value
