"""Play a call's recording, whole or in ranges (RFC 9110 section 14)."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import RowMapping

from telephony.api.access import RecordingsReader
from telephony.api.keeper import media_type
from telephony.api.models import CallId
from telephony.api.problems import ProblemError, not_found, responses
from telephony.api.serving import Serving, find_call
from telephony.store import recordings

router = APIRouter(prefix="/v1/calls", tags=["recordings"])

_RANGE = re.compile(r"^bytes=(\d{0,15})-(\d{0,15})$")
_AUDIO: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}},
    }
    for status, text in ((200, "The recording"), (206, "A part of the recording"))
}


@router.get(
    "/{call_id}/recording",
    response_class=Response,
    responses={**responses(401, 403, 404, 409, 416, 422), **_AUDIO},
)
async def get_recording(
    service: Serving,
    _caller: RecordingsReader,
    call_id: CallId,
    recording_id: Annotated[
        str | None, Query(pattern=r"^rec_[0-9a-f]{32}$", description="The newest when not given.")
    ] = None,
    range_: Annotated[
        str | None, Header(alias="Range", max_length=64, description="bytes=first-last; one range.")
    ] = None,
) -> Response:
    """The sound of a call."""
    await find_call(service, call_id)
    row = await _choose(service, call_id, recording_id)
    size, location = int(row["bytes"]), str(row["location"])
    if not await service.files.exists(location):
        raise not_found("recording")
    part = _part(range_, size)
    start, end = part or (0, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "ETag": f'"{row["sha256"]}"',
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{call_id}.{row["format"]}"',
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(
        service.files.read(location, start, end),
        206 if part is not None else 200,
        headers,
        media_type(row["format"]),
    )


async def _choose(service: Serving, call_id: str, recording_id: str | None) -> RowMapping:
    async with service.database.read() as connection:
        rows = await recordings.of_call(connection, call_id)
    wanted = [row for row in rows if recording_id is None or row["recording_id"] == recording_id]
    stored = [row for row in wanted if row["status"] == "stored"]
    if stored:
        return stored[-1]
    if any(row["status"] == "pending" for row in wanted):
        raise ProblemError(409, "recording_pending", "The recording is being stored.", fix="Ask again soon.")
    raise not_found("recording")


def _part(text: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for the whole."""
    match = _RANGE.match(text.strip()) if text else None
    if match is None or match.groups() == ("", ""):
        # A header that is not understood, or has several ranges, is as if it were not there.
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise ProblemError(
            416,
            "range_not_satisfiable",
            f"The recording has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end
