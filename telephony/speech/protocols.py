"""What the offline engine needs of its models, whichever they are; each is called in one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from telephony.speech.recogniser import Recognised


class Named(Protocol):
    """Any model."""

    @property
    def name(self) -> str:
        """Which it is."""


class Recogniser(Named, Protocol):
    """Understands one utterance after the other."""

    def recognise(
        self,
        samples: NDArray[np.int16],
        rate: int,
        *,
        hint: str = "",
        language: str = "en",
        abandoned: Callable[[], bool] = ...,
    ) -> Recognised:
        """Recognise one utterance.

        Args:
            samples: shape (n,), int16, mono.
            rate: their rate, in Hz.
            hint: what is likely to be heard.
            abandoned: asked now and then; when it says yes nobody waits for the text any more.

        Raises:
            SpeechError: the language is not known.
        """


class Voice(Named, Protocol):
    """Speaks one unit of text after the other."""

    def speak(
        self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0, language: str = ""
    ) -> NDArray[np.int16]:
        """Synthesise a unit of text at ``rate`` Hz, in the voice of a language or of its letters."""
