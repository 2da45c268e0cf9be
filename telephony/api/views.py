"""Rows of the record as the api shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.api.models import (
    CallDetail,
    CallOverview,
    DeliveryOut,
    EndpointOut,
    EventOut,
    KeyOut,
    RecordingOut,
)
from telephony.calls.events import LINE
from telephony.calls.fields import collected, declared, missing_fields
from telephony.calls.quality import with_estimates
from telephony.calls.record import CallRecord
from telephony.calls.summary import parties, timings
from telephony.store.stored import event_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import RowMapping

    from telephony.store.stored import StoredEvent

_FACTS = (
    "rule_id",
    "sip_call_id",
    "sip_call_id_full",
    "codec",
    "audio_path",
    "language",
    "config_version",
    "providers",
    "usage",
    "transfer",
    "metadata",
)
_OF_THE_END = ("code", "cause", "talk_s", "cost")


def overview(row: RowMapping) -> CallOverview:
    """A call as a list shows it."""
    return CallOverview.model_validate({**row, "id": row["call_id"]})


def detail(row: RowMapping, recordings: Iterable[RowMapping]) -> CallDetail:
    """Everything of one call."""
    record = CallRecord.from_json(row["call_id"], row["record"])
    ended = record.ended or {}
    quality = ended.get("quality") or record.value("quality")
    shown: dict[str, Any] = {
        **{name: row[name] for name in CallOverview.model_fields if name in row},
        **{name: record.value(name) for name in _FACTS},
        **{name: ended.get(name) for name in _OF_THE_END},
        **parties(record),
        "id": row["call_id"],
        "timings": timings(record),
        "quality": with_estimates(quality) if quality else None,
        "declared_fields": declared(record) or None,
        "fields": collected(record) or None,
        "missing_fields": missing_fields(record) or None,
        "missing_events": record.missing_events() or None,
        "recordings": [recording(each) for each in recordings],
    }
    return CallDetail.model_validate(shown)


def recording(row: RowMapping) -> RecordingOut:
    """A recording, without where it lies."""
    return RecordingOut.model_validate({**row, "id": row["recording_id"]})


def event(stored: StoredEvent) -> EventOut:
    """An event."""
    return EventOut.model_validate(stored.payload())


def endpoint(row: RowMapping, pending: int = 0) -> EndpointOut:
    """An endpoint, without its secrets."""
    return EndpointOut.model_validate({**row, "id": row["endpoint_id"], "pending": pending})


def delivery(row: RowMapping) -> DeliveryOut:
    """A delivery."""
    return DeliveryOut.model_validate(delivery_fields(row))


def delivery_fields(row: RowMapping) -> dict[str, Any]:
    """A delivery's fields by their public names."""
    return {
        **row,
        "id": row["delivery_id"],
        "event_id": event_id(row["call_id"], row["seq"]),
        "call_id": None if row["call_id"] == LINE else row["call_id"],
    }


def key(row: RowMapping) -> KeyOut:
    """A key, without its hash."""
    return KeyOut.model_validate({**row, "id": row["key_id"]})
