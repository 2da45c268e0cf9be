"""How an object at LiveKit is known as ours: a mark in its ``metadata``. Pure.

The mark stands in JSON under the key ``trunkline``, beside whatever the operator wants there:
which line owns it, under which key of the file, and a hash of what was last applied, per field, so that a
later change by another hand can be named. No secret goes into a hash: a rule's metadata is shown to every
participant of the room.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "trunkline"
_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """Who owns an object.

    Attributes:
        line: the file's ``line``.
        key: the object's key in the file, such as ``inbound/novofon``.
        fields: field name to a short hash of the value last applied.
    """

    line: str
    key: str
    fields: Mapping[str, str]

    @property
    def content_hash(self) -> str:
        """One hash over all fields."""
        return short_hash(sorted(self.fields.items()))


def read_metadata(metadata: str) -> tuple[dict[str, Any] | str, Mark | None]:
    """Split an object's metadata into the user's part and our mark.

    Returns:
        The user's JSON object without our key, or the text as it is when it is not one; and the mark,
        or None when there is none or it is not well formed.
    """
    if not metadata:
        return {}, None
    try:
        value = json.loads(metadata)
    except (ValueError, RecursionError):
        return metadata, None
    if not isinstance(value, dict):
        return metadata, None
    raw = value.pop(MARK, None)
    return value, _mark(raw)


def write_metadata(user: Mapping[str, Any], mark: Mark) -> str:
    """The metadata that carries both; the same input gives the same text."""
    ours = {
        "line": mark.line,
        "key": mark.key,
        "hash": mark.content_hash,
        "fields": dict(sorted(mark.fields.items())),
    }
    return json.dumps({**user, MARK: ours}, ensure_ascii=False, separators=(",", ":"))


def short_hash(value: Any) -> str:
    """Eight hexadecimal digits of SHA-256 over a JSON value."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def _mark(raw: Any) -> Mark | None:
    if not isinstance(raw, dict):
        return None
    line, key, fields = raw.get("line"), raw.get("key"), raw.get("fields")
    if not isinstance(line, str) or not isinstance(key, str) or not isinstance(fields, dict):
        return None
    if not all(isinstance(name, str) and isinstance(digest, str) for name, digest in fields.items()):
        return None
    return Mark(line, key, fields)
