"""What a simulated provider can be told to do wrong, from the next request on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, get_args

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_response import StreamResponse

    from telephony.audio.frame import Samples

Fault = Literal["refuse", "error", "hang", "mute", "cut", "slow", "malformed", "limited"]
"""``refuse``: the connection is dropped; ``error``: status 500; ``hang``: no first byte; ``mute``: the answer
begins and nothing comes; ``cut``: dropped in the middle; ``slow``: ten times slower; ``malformed``: not what
the protocol says; ``limited``: the quota is used up, status 429."""

FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)[:7]
"""What breaks; a quota that is used up does not."""

SLOW_S: Final = 4.0
"""Ten times what a provider takes."""
_FOR_EVER_S = 60.0


async def before(request: web.Request, fault: Fault | None) -> None:
    """Do what is wrong before an answer begins."""
    if fault == "refuse":
        drop(request)
    elif fault == "error":
        raise web.HTTPInternalServerError(text="simulated failure")
    elif fault == "limited":
        raise web.HTTPTooManyRequests(
            text='{"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}',
            content_type="application/json",
        )
    elif fault == "hang":
        await nothing()


def drop(request: web.Request) -> None:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()


async def nothing() -> None:
    """Keep the client waiting."""
    await asyncio.sleep(_FOR_EVER_S)


async def send_sound(
    response: StreamResponse, request: web.Request, pieces: AsyncIterator[Samples], fault: Fault | None
) -> None:
    """Send 16 bit samples as they come; where the answer is to be cut, half of the first piece."""
    async for piece in pieces:
        sound = piece.astype("<i2").tobytes()
        if fault == "cut":
            await response.write(sound[: len(sound) // 4 * 2])
            await abort(response, request)
            return
        await response.write(sound)
    await response.write_eof()


async def abort(response: StreamResponse, request: web.Request) -> None:
    """End the connection in the middle of an answer."""
    await response.drain()
    await asyncio.sleep(0.05)
    drop(request)
