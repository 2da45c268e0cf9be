"""LiveKit's answering machine detection as one more witness of triage, where a model can be asked.

``livekit.agents.AMD`` itself waits for a subscribed audio track of the phone's participant, which a call over
the direct line does not have, and then settles on "uncertain". So its classifier is led from here, by the
same four calls that the session makes to it: listening began, speech began, speech ended, words came. It is
a private class of livekit-agents 1.8; tests/agent/test_amd.py holds it to what is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.voice.amd.classifier import _AMDClassifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import llm
    from livekit.agents.voice.amd import AMDPredictionEvent

_MACHINE_SILENCE_S = 0.9
"""Silence after which its verdict counts; LiveKit's 1.5 s would keep people waiting."""
_NO_SPEECH_S = 30.0
_TIMEOUT_S = 30.0
"""Triage has limits of its own, which are shorter."""


class ModelJudge:
    """One call's.

    Args:
        model: classifies the words.
        tell: told of the verdict once: LiveKit's category, and the reason.
    """

    def __init__(self, model: llm.LLM[Any], tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._speaking = False
        self._classifier = _AMDClassifier(
            model,
            machine_silence_threshold=_MACHINE_SILENCE_S,
            no_speech_threshold=_NO_SPEECH_S,
            timeout=_TIMEOUT_S,
            max_endpointing_delay=_MACHINE_SILENCE_S,
        )
        self._classifier.on("amd_prediction", self._on_prediction)

    def start(self) -> None:
        """The call is answered: what is heard from now on counts."""
        self._classifier.start_detection_timer()
        self._classifier.start_listening()

    def voice(self, speaking: bool, silence_s: float) -> None:
        """Whether somebody speaks now; ``silence_s``: for how long nobody has."""
        if speaking and not self._speaking:
            self._classifier.on_user_speech_started()
        elif self._speaking and not speaking:
            self._classifier.on_user_speech_ended(silence_s)
        self._speaking = speaking

    def words(self, text: str) -> None:
        """A final transcript."""
        self._classifier.push_text(text)

    async def aclose(self) -> None:
        """Ask no more."""
        await self._classifier.close()

    def _on_prediction(self, event: AMDPredictionEvent) -> None:
        self._tell(event.category.value, event.reason)
