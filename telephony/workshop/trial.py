"""One script of an assistant in text, with the world outside simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.workshop.outside import pointed_at, read_answers, simulated
from telephony.workshop.play import play
from telephony.workshop.talk import open_talk

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant
    from telephony.caller.script import Script
    from telephony.workshop.place import Place
    from telephony.workshop.play import Played

LOOPBACK = "127.0.0.0/8"


async def try_in_text(place: Place, assistant: Assistant, script: Script) -> Played:
    """Run it.

    Raises:
        TrunklineError: the answers' file is wrong, or the assistant cannot be led here.
    """
    answers = read_answers(place.answers())
    async with (
        simulated(answers) as root,
        open_talk(
            pointed_at(assistant, root),
            place.config.speech,
            model_url=root if answers.model else None,
            allowed_networks=[LOOPBACK],
        ) as talk,
    ):
        return await play(script, talk)
