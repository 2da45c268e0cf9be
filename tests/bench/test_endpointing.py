"""The corpus of ends of turns, and one of them by a real session in virtual time."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bench.endpointing.corpus import PAUSES_MS, rendered
from bench.endpointing.trial import listen
from bench.virtual_time import run_virtually

pytestmark = pytest.mark.component

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@needs_espeak
def test_every_pause_is_in_the_corpus_and_is_silent() -> None:
    """Between two parts whose words and ends are known."""
    corpus = rendered("ru", each=11)
    assert {round(1000 * (each.parts[1].begins_s - each.parts[0].ends_s)) for each in corpus} <= set(
        PAUSES_MS
    )
    for each in corpus:
        first, second = each.parts
        pause = each.samples[round(first.ends_s * 8000) : round(second.begins_s * 8000)]
        assert not pause.any()
        assert np.abs(each.samples[round(second.begins_s * 8000) :]).max() > 1000
        assert first.words
        assert second.words


@needs_espeak
def test_a_turn_is_over_sooner_than_after_fixed_silence() -> None:
    """With a pause inside that neither takes for the end."""
    [sentence] = [
        each for each in rendered("ru") if each.name.startswith("Меня зовут") and "(200 ms" in each.name
    ]
    ours = run_virtually(listen(sentence, fixed=False))
    fixed = run_virtually(listen(sentence, fixed=True))
    assert not ours.cut_off
    assert not fixed.cut_off
    assert ours.decided_ms is not None
    assert fixed.decided_ms is not None
    assert ours.decided_ms < fixed.decided_ms
