"""Voices that are programs of the machine: festival with festvox-ru, and espeak-ng. Both speak Russian.

Neither is part of Trunkline, nor loaded into its process: a program is given a text and leaves samples.
festival is kept running, since it needs half a second to load its voice; it ends with its standard input, so
with the engine, however that ends. A program that takes too long, or dies, is started anew for the next text.
Not to be called from two threads at once.
"""

from __future__ import annotations

import contextlib
import io
import re
import selectors
import shutil
import subprocess
import tempfile
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from telephony.errors import DependencyError, SpeechError
from telephony.speech.voice import trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL_DBFS = -21.0
"""How loud both are made: as loud as the English voice."""

_FESTVOX_RU = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")
_LOADED = "(voice_msu_ru_nsh_clunits)"
_DONE = "trunkline-done"
_SAID_AS = str.maketrans(
    {"№": " номер ", "%": " процентов ", "&": " и ", "+": " плюс ", "—": " , ", "–": " , "}
)
_SILENT = re.compile(r"[^0-9A-Za-zА-Яа-яЁё.,!?;:\-\s]")
_PAUSES = ".,!?;:"
_PAUSE = re.compile(r"[.,!?;:]+")
_MARKS = _PAUSES + "-"
_REPEATED = re.compile(r"([.,!?;:\-])[.,!?;:\-]+")
_LOAD_S = 60.0
_SPEAK_S = 20.0
_PACE_WPM = 150
_PEAK = 0.9


class FestivalVoice:
    """festival's Russian voice (unit selection from a person's recordings); has one pace only.

    Raises:
        DependencyError: festival or festvox-ru is not installed.
    """

    name = "festival-ru"

    def __init__(self) -> None:
        program = shutil.which("festival")
        if program is None or not _FESTVOX_RU.is_dir():
            raise DependencyError(
                "festival's Russian voice is not installed.", fix="Run: apt-get install festival festvox-ru"
            )
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def warm(self) -> None:
        """Load the voice and speak once."""
        self.speak("Здравствуйте.", rate=8000)

    def speak(self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0) -> NDArray[np.int16]:
        """Synthesise one unit of text at ``rate`` Hz; ``speed`` and ``seed`` change nothing.

        Raises:
            SpeechError: festival died, or took too long.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._folder is not None
        file = Path(self._folder.name) / "said.wav"
        file.unlink(missing_ok=True)
        said = sayable(text)
        if not said:
            return np.zeros(0, np.int16)
        try:
            self._ask(f'(utt.save.wave (utt.synth (Utterance Text "{said}")) "{file}" (quote riff))')
        except SpeechError:
            self.close()
            raise
        # Of a text without anything to say it leaves nothing.
        return _made(file.read_bytes(), rate) if file.is_file() else np.zeros(0, np.int16)

    def close(self) -> None:
        """End the program; the next text starts it again."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):  # it read nothing any more
                process.communicate()
        if folder is not None:
            folder.cleanup()

    def _start(self) -> None:
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="trunkline-voice-")
        self._process = subprocess.Popen(  # noqa: S603 (the program is festival, found on the path)
            [self._program, "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ask(_LOADED, _LOAD_S)

    def _ask(self, command: str, within_s: float = _SPEAK_S) -> None:
        assert self._process is not None
        _answered(self._process, command, within_s)


class EspeakVoice:
    """espeak-ng's Russian voice: small, at once, and hard to understand.

    Raises:
        DependencyError: espeak-ng is not installed.
    """

    name = "espeak-ru"

    def __init__(self) -> None:
        program = shutil.which("espeak-ng")
        if program is None:
            raise DependencyError("espeak-ng is not installed.", fix="Run: apt-get install espeak-ng")
        self._program = program

    def warm(self) -> None:
        """Speak once."""
        self.speak("Здравствуйте.", rate=8000)

    def speak(self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0) -> NDArray[np.int16]:
        """Synthesise one unit of text at ``rate`` Hz; ``seed`` changes nothing.

        Raises:
            SpeechError: espeak-ng failed, or took too long.
        """
        command = [self._program, "-v", "ru", "-s", str(round(_PACE_WPM * speed)), "--stdout", "--stdin"]
        try:
            made = subprocess.run(  # noqa: S603 (the program is espeak-ng, found on the path)
                command, input=text.encode(), capture_output=True, timeout=_SPEAK_S, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise SpeechError(f"espeak-ng did not speak: {error}", retryable=True) from error
        return _made(made, rate)

    def close(self) -> None:
        """Nothing is kept."""


def russian_voice(wanted: str = "auto") -> FestivalVoice | EspeakVoice:
    """The Russian voice of this machine.

    Args:
        wanted: ``festival``, ``espeak``, or ``auto``: festival where it is installed.

    Raises:
        DependencyError: that one, or either, is not installed.
    """
    if wanted == "espeak":
        return EspeakVoice()
    try:
        return FestivalVoice()
    except DependencyError:
        if wanted == "festival":
            raise
    try:
        return EspeakVoice()
    except DependencyError as error:
        raise DependencyError(
            "No Russian voice is installed: neither festival's nor espeak-ng.",
            fix="Run: apt-get install festival festvox-ru, or apt-get install espeak-ng",
        ) from error


def sayable(text: str) -> str:
    """A text as festival's voice can say it, on one line, without anything that means something to Scheme.

    The voice never comes back from a mark that stands by itself, or within a word or a number, or that it has
    no name for: "10:30", quotation marks, dashes, a full stop after a space. Marks that are words are spelled
    out, the others left out.
    """
    plain = _REPEATED.sub(r"\1", _SILENT.sub(" ", text.translate(_SAID_AS)))
    words: list[str] = []
    for token in plain.split():
        word = _PAUSE.sub(" ", token.strip(_MARKS))
        pause = next((mark for mark in token[len(token.rstrip(_MARKS)) :] if mark in _PAUSES), "")
        if word:
            words.append(word + pause)
        elif words and pause and words[-1][-1] not in _PAUSES:
            words[-1] += pause
    return " ".join(words)


def _answered(process: subprocess.Popen[bytes], command: str, within_s: float) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    deadline = time.monotonic() + within_s
    heard = b""
    try:
        process.stdin.write(f'(begin {command} (format t "\\n{_DONE}\\n") (fflush nil))\n'.encode())
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while _DONE.encode() not in heard:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise SpeechError(f"festival took longer than {within_s:g} s.", retryable=True)
                piece = process.stdout.read1(4096)  # type: ignore[attr-defined]
                if not piece:
                    raise SpeechError("festival ended.", retryable=True)
                heard += piece
    except OSError as error:
        raise SpeechError(f"festival ended: {error.strerror}.", retryable=True) from error


def _made(content: bytes, rate: int) -> NDArray[np.int16]:
    """The samples of a WAV file, mono, at ``rate`` Hz, levelled and trimmed."""
    if len(content) <= _WAV_HEADER:
        return np.zeros(0, np.int16)
    with wave.open(io.BytesIO(content)) as file:
        from_rate = file.getframerate()
    # A program that writes to a pipe does not know how much it will write: what its header says is not used.
    pcm = content[_WAV_HEADER : _WAV_HEADER + (len(content) - _WAV_HEADER) // 2 * 2]
    wide = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768.0
    sound = soxr.resample(wide, from_rate, rate)
    loud = sound[np.abs(sound) > _AUDIBLE]
    if not loud.size:
        return np.zeros(0, np.int16)
    gain = 10 ** (LEVEL_DBFS / 20) / float(np.sqrt(np.mean(np.square(loud))))
    gain = min(gain, _PEAK / float(np.max(np.abs(sound))))
    samples: NDArray[np.int16] = np.round(sound * gain * 32767.0).astype(np.int16)
    return trim(samples, rate)


_WAV_HEADER = 44
_AUDIBLE = 0.003
