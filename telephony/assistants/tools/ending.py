"""The tool that ends the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result


async def end_call(desk: Desk) -> Result:
    """End the call when the caller has nothing more to ask. Say goodbye in the same answer."""
    desk.hang_up()
    return {"ended": True}
