"""Models by language behind one recogniser and one voice: each is loaded when it is first needed.

Called in the model's one thread, so nothing is loaded twice. What is missing fails the request that needs it,
with what to install, and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from telephony.errors import SpeechError, TrunklineError
from telephony.logs import get_logger
from telephony.speech.protocols import Named, Recogniser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from telephony.speech.recogniser import Recognised

log = get_logger(__name__)

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)


class Warmable(Named, Protocol):
    """What is kept on the shelf."""

    def warm(self) -> None:
        """Run once, so that the first caller does not wait."""


class SpokenBy(Warmable, Protocol):
    """A voice of one language."""

    def speak(self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0) -> NDArray[np.int16]: ...


class ListenedBy(Recogniser, Warmable, Protocol):
    """A recogniser of one language, or of more."""


_Model = TypeVar("_Model", bound=Warmable)


class Shelf(Generic[_Model]):
    """Models, each made when it is first asked for.

    Args:
        kind: what they are, for messages.
        makers: how each is loaded, by the code of its language.
    """

    def __init__(self, kind: str, makers: Mapping[str, Callable[[], _Model]]) -> None:
        self._kind = kind
        self._makers = dict(makers)
        self._made: dict[str, _Model] = {}

    @property
    def name(self) -> str:
        """Those that are loaded, in the order of their loading."""
        return "+".join(model.name for model in self._made.values())

    def load(self, language: str) -> _Model:
        """The model of a language, loaded and warm.

        Raises:
            TrunklineError: it is missing or broken, and how to have it.
        """
        if language not in self._made:
            maker = self._makers.get(language)
            if maker is None:
                known = ", ".join(sorted(self._makers))
                raise SpeechError(
                    f"There is no offline {self._kind} for {language!r}, only for {known}.", field="language"
                )
            model = maker()
            model.warm()
            self._made[language] = model
            log.info("speech_model_loaded", kind=self._kind, language=language, model=model.name)
        return self._made[language]

    def close(self) -> None:
        """End what runs for them, such as a program that speaks."""
        for model in self._made.values():
            close = getattr(model, "close", None)
            if close is not None:
                close()

    def take(self, language: str) -> _Model:
        """The same, for a request: what is missing is its failure.

        Raises:
            SpeechError: with the reason and its fix.
        """
        try:
            return self.load(language)
        except SpeechError:
            raise
        except TrunklineError as error:
            raise SpeechError(error.message, fix=error.fix) from error


class Recognisers(Shelf[ListenedBy]):
    """A recogniser that knows several languages."""

    def recognise(
        self,
        samples: NDArray[np.int16],
        rate: int,
        *,
        hint: str = "",
        language: str = "en",
        abandoned: Callable[[], bool] = lambda: False,
    ) -> Recognised:
        """Recognise one utterance with the model of its language; see ``WhisperRecogniser``."""
        return self.take(language).recognise(samples, rate, hint=hint, language=language, abandoned=abandoned)


class Voices(Shelf[SpokenBy]):
    """A voice that speaks several languages."""

    def speak(
        self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0, language: str = ""
    ) -> NDArray[np.int16]:
        """Synthesise one unit of text at ``rate`` Hz.

        Args:
            language: whose voice speaks it; empty to tell from its letters.
        """
        return self.take(spoken_in(text, language)).speak(text, rate=rate, speed=speed, seed=seed)


def spoken_in(text: str, language: str = "") -> str:
    """Whose voice a text needs: no English one can say a Cyrillic letter."""
    return "ru" if _CYRILLIC.search(text) else language or "en"
