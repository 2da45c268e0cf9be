"""Whisper by CTranslate2: samples in, text out, in the caller's thread.

The decisions are in ``decoding``; here the model is loaded, shown a window and read. Greedy decoding
without timestamps, int8, one thread: the same audio gives the same text on one machine. Not to be
called from two threads at once, which the model would only serialise anyway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from telephony.errors import ConfigError, DependencyError, SpeechError
from telephony.speech import decoding
from telephony.speech.decoding import Decoded
from telephony.speech.fuzzy import corrected
from telephony.speech.mel import log_mel
from telephony.speech.models import INSTALL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from telephony.speech.models import WhisperModel

_HINT_TOKENS = decoding.MAX_PROMPT_TOKENS - 8


@dataclass(frozen=True, slots=True)
class Recognised:
    """One utterance, recognised; ``text`` is empty when nobody spoke.

    ``window_s`` is the longest window that was needed, 10 to 30 s, 0 for none; ``processing_s`` the
    time it took.
    """

    text: str
    confidence: float
    no_speech_prob: float
    duration_s: float
    processing_s: float
    window_s: int


class WhisperRecogniser:
    """A loaded Whisper model.

    Args:
        model: where it is.
        language: what ``warm`` listens for.

    Raises:
        DependencyError: CTranslate2 or tokenizers is not installed.
        ConfigError: the files are not a Whisper model.
    """

    def __init__(self, model: WhisperModel, language: str = "en") -> None:
        try:
            import ctranslate2
            import tokenizers
        except ImportError as error:
            raise DependencyError(
                f"The offline recogniser needs a package that is not installed: {error.name}.", fix=INSTALL
            ) from error
        self.name = model.name
        self._language = language
        try:
            self._model = ctranslate2.models.Whisper(
                str(model.folder), device="cpu", compute_type="int8", intra_threads=1, inter_threads=1
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(model.folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare RuntimeError or Exception
            raise ConfigError(
                f"{model.folder} does not hold a Whisper model that can be loaded: {error}",
                field="speech.engine.whisper_folder",
                fix="Name a folder that holds a CTranslate2 conversion of Whisper.",
            ) from error
        self._storage: Callable[[NDArray[np.float32]], Any] = ctranslate2.StorageView.from_array

    def warm(self) -> None:
        """Run once on quiet noise, so that the first caller does not wait for memory to be touched."""
        noise = np.random.default_rng(0).normal(0, 1e-3, decoding.RATE).astype(np.float32)
        self._decode(noise, decoding.windows(1.0)[0], self._prompt("", self._language))

    def recognise(
        self,
        samples: NDArray[np.int16],
        rate: int,
        *,
        hint: str = "",
        language: str = "en",
        abandoned: Callable[[], bool] = lambda: False,
    ) -> Recognised:
        """Recognise one utterance.

        Args:
            samples: shape (n,), int16, mono.
            rate: their rate, in Hz.
            hint: what is likely to be heard; only its last 216 tokens count. Where it is not English, near
                misses of its words are taken for them.
            abandoned: asked before each step; when it says yes the rest is left undone.

        Raises:
            SpeechError: the model does not know the language.
        """
        started = time.perf_counter()
        duration_s = len(samples) / rate
        audio = soxr.resample(samples.astype(np.float32) / 32768.0, rate, decoding.RATE)
        prompt = self._prompt(hint, language)
        pieces = decoding.split_long(audio) if duration_s >= decoding.MIN_SPEECH_S else []
        results = []
        for piece in pieces:
            if abandoned():
                break
            results.append(self._best(piece, prompt, abandoned, language))
        spoken = [result for result, _ in results if decoding.is_speech(result)]
        text = decoding.normalise(" ".join(result.text for result in spoken))
        if language != "en":
            text = corrected(text, hint)
        return Recognised(
            text=text,
            confidence=min((result.confidence for result in spoken), default=0.0) if text else 0.0,
            no_speech_prob=min((result.no_speech_prob for result, _ in results), default=1.0),
            duration_s=duration_s,
            processing_s=time.perf_counter() - started,
            window_s=max((window for _, window in results), default=0),
        )

    def _best(
        self, audio: NDArray[np.float32], prompt: list[int], abandoned: Callable[[], bool], language: str
    ) -> tuple[Decoded, int]:
        """What to believe of one piece of at most 28 s, and the window it was seen through, in s."""
        duration_s = len(audio) / decoding.RATE
        first, *longer = decoding.windows(duration_s)
        decoded, window = self._decode(audio, first, prompt, language), first
        for window_s in longer:
            # Silence is not worth a second look: a longer window would only invent other words.
            trusted = not decoding.is_speech(decoded) or not decoding.looks_looped(
                decoded, duration_s, language
            )
            if trusted or abandoned():
                break
            decoded, window = self._decode(audio, window_s, prompt, language), window_s
        return decoded, window

    def _decode(
        self, audio: NDArray[np.float32], window_s: int, prompt: list[int], language: str = "en"
    ) -> Decoded:
        encoded = self._model.encode(self._storage(log_mel(audio, window_s)[np.newaxis]))
        limit = decoding.token_limit(len(audio) / decoding.RATE, language)
        [result] = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=decoding.sequence_limit(limit, len(prompt)),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens: Sequence[int] = result.sequences_ids[0]
        return Decoded(
            text=self._tokenizer.decode(tokens),
            tokens=len(tokens),
            token_limit=limit,
            # The score is the mean over the tokens; the end of the text counts as one more.
            avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_prob=result.no_speech_prob,
        )

    def _prompt(self, hint: str, language: str) -> list[int]:
        prompt = []
        if hint.strip():
            words = self._tokenizer.encode(" " + hint.strip(), add_special_tokens=False).ids
            prompt += [self._token("<|startofprev|>"), *words[-_HINT_TOKENS:]]
        prompt.append(self._token("<|startoftranscript|>"))
        if self._model.is_multilingual:
            prompt += [self._token(f"<|{language}|>"), self._token("<|transcribe|>")]
        elif language != "en":
            raise SpeechError(f"The model {self.name} knows English only.", field="language")
        return [*prompt, self._token("<|notimestamps|>")]

    def _token(self, text: str) -> int:
        token: int | None = self._tokenizer.token_to_id(text)
        if token is None:
            raise SpeechError(f"The model {self.name} does not know {text}.", field="language")
        return token
