"""What one job process does: read its settings once, lead one call, write its outcome.

These functions are what the worker hands to livekit-agents; a job process finds them by name here and
so never imports the worker itself.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from telephony import logs
from telephony.agent import memory, orphans
from telephony.agent.assistant_shelf import AssistantShelf
from telephony.agent.call import Call
from telephony.agent.dialled import told_of
from telephony.agent.editions import Editions
from telephony.agent.hangup import HangUp
from telephony.agent.rehearsal import rehearse
from telephony.agent.room import delete_room
from telephony.agent.settings import AgentSettings
from telephony.assistants.call_data import filled
from telephony.assistants.schema import Operator
from telephony.errors import TrunklineError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import JobContext, JobProcess

    from telephony.assistants.schema import Assistant

log = get_logger(__name__)

_SETTINGS = "settings"
_CALL = "call"
_SHELF = "assistants"


def prewarm(process: JobProcess) -> None:
    """Prepare an idle process. Never raises: livekit-agents would start another at once, for ever."""
    logs.configure_structlog()
    try:
        settings = process.userdata[_SETTINGS] = AgentSettings.from_environment()
        # ctx.api reads it, and the dispatcher is no livekit-server.
        os.environ["LIVEKIT_URL"] = settings.url
        shelf = process.userdata[_SHELF] = _shelf(settings)
    except Exception as error:
        log.error("settings_not_read", reason=str(error))
        return
    try:
        rehearse(shelf.get(settings.line.assistants.default), settings.data)
    except TrunklineError as error:
        # Said to the call that asks for it; others may be for another assistant.
        log.info("not_rehearsed", reason=str(error))


async def entrypoint(ctx: JobContext) -> None:
    """Lead one call; returns when it can go on by events alone."""
    call: Call | None = None
    try:
        settings = ctx.proc.userdata.get(_SETTINGS) or AgentSettings.from_environment()
        name = assistant_name(ctx.job.metadata, settings.line.assistants.default)
        orphans.note(settings.journals, ctx.job)
        shelf = ctx.proc.userdata.get(_SHELF) or _shelf(settings)
        assistant = handing_to(
            filled(shelf.get(name), call_data(ctx.job.metadata)), operator_of(ctx.job.metadata)
        )
        call = ctx.proc.userdata[_CALL] = Call(ctx, settings, assistant)
        await call.begin()
    except TrunklineError as error:
        await _fail(ctx, call, str(error))
    except Exception as error:
        if call is not None and call.is_over:
            # The caller was gone before the room was joined.
            log.info("call_left_while_joining", reason=type(error).__name__)
            return
        log.exception("call_crashed")
        await _fail(ctx, call, f"{type(error).__name__}: {error}")


async def on_session_end(ctx: JobContext) -> None:
    """Write the call's outcome."""
    call = ctx.proc.userdata.get(_CALL)
    if isinstance(call, Call):
        await call.finish()
    settings = ctx.proc.userdata.get(_SETTINGS)
    if isinstance(settings, AgentSettings):
        orphans.settle(settings.journals, ctx.job.id)
    memory.tell()


def _shelf(settings: AgentSettings) -> AssistantShelf:
    return AssistantShelf(settings.assistant_directories, Editions(settings.editions))


def assistant_name(metadata: str, default: str) -> str:
    """The assistant that a job's metadata asks for.

    Args:
        metadata: the dispatch rule's JSON, such as ``{"assistant": "reception"}``; may be empty.
        default: the operator's default.
    """
    try:
        told = json.loads(metadata or "{}")
    except ValueError:
        told = None
    if not isinstance(told, dict):
        log.warning("job_metadata_ignored", reason="it is no JSON object")
        return default
    name = told.get("assistant", default)
    return name if isinstance(name, str) and name else default


def call_data(metadata: str) -> dict[str, Any]:
    """What the call brings along, from its job's metadata: ``{"data": {"order": "1042"}}``."""
    data = told_of(metadata).get("data")
    return data if isinstance(data, dict) else {}


def operator_of(metadata: str) -> str | None:
    """Whom this call may be handed to, from its job's metadata: ``{"transfer_to": "+15550100199"}``.

    The key is that of LiveKit's own outbound example. Whoever dispatches the job answers for the number: the
    api has its guard decide about it before the call is dialled.
    """
    wanted = told_of(metadata).get("transfer_to")
    if not isinstance(wanted, str) or not wanted.strip():
        return None
    address = wanted.strip()
    return address if address.startswith(("sip:", "tel:")) else f"tel:{address}"


def handing_to(assistant: Assistant, target: str | None) -> Assistant:
    """The assistant with another operator behind it for one call."""
    if target is None:
        return assistant
    try:
        operator = Operator.model_validate({**assistant.operator.model_dump(), "transfer_to": target})
    except ValidationError:
        log.warning("transfer_target_ignored", reason="it is no sip: or tel: address and no number")
        return assistant
    made = assistant.model_copy(update={"operator": operator})
    made._edition = assistant.version
    return made


async def _fail(ctx: JobContext, call: Call | None, cause: str) -> None:
    if call is None:
        log.error("call_failed", reason=cause)
        await HangUp(lambda: delete_room(ctx.api, ctx.job.room.name)).close_room()
        ctx.shutdown(cause)
    else:
        await call.fail(cause)
