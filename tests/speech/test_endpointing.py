"""Utterances found by loudness alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.tones import sine
from telephony.speech.simulators.endpointing import Endpointer, SpeechBegan, Utterance

pytestmark = pytest.mark.pure

STREAM = np.concatenate(
    [
        np.zeros(1600, np.int16),
        sine(300.0, 0.4),
        np.zeros(800, np.int16),
        sine(300.0, 0.2),
        np.zeros(4000, np.int16),
        sine(300.0, 0.1),
    ]
)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_utterances_do_not_depend_on_the_pieces(cuts: list[int]) -> None:
    """However the stream is cut: a short pause stays inside, a long one ends, times are the stream's."""
    endpointer, found, at = Endpointer(8000, silence_s=0.3), [], 0
    for cut in [*cuts, len(STREAM)]:
        found += endpointer.feed(STREAM[at : at + cut])
        at += cut
    assert [type(event) for event in found] == [SpeechBegan, Utterance, SpeechBegan]
    began, utterance, again = found
    assert isinstance(began, SpeechBegan)
    assert isinstance(utterance, Utterance)
    assert isinstance(again, SpeechBegan)
    assert (began.at_s, utterance.start_s, again.at_s) == pytest.approx((0.2, 0.2, 1.4))
    np.testing.assert_array_equal(utterance.samples, STREAM[1600:7200])
    last = endpointer.finish()
    assert last is not None
    assert len(last.samples) == 800
    assert endpointer.finish() is None
