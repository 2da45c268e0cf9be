"""Packets of any length, laid down at positions, cut anew into frames of 20 ms."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, Samples

MAX_SEGMENTS = 150
"""Packets kept at most: 3 s of audio at 20 ms, more than any playout delay."""


class Reframer:
    """Samples by position, waiting to be taken in order.

    Where packets overlap, what lies earlier wins; where they leave a hole inside a frame, it is zeros.
    """

    def __init__(self) -> None:
        self._segments: list[tuple[int, Samples]] = []

    def __bool__(self) -> bool:
        return bool(self._segments)

    @property
    def samples(self) -> int:
        """How many samples wait."""
        return sum(len(samples) for _, samples in self._segments)

    def put(self, position: int, samples: Samples) -> int | None:
        """Lay down one packet's samples; a second one at the same position is ignored.

        Returns:
            None; or, if there are now too many, where the oldest one ended that had to go for it.
        """
        segments = self._segments
        if not segments or position > segments[-1][0]:
            segments.append((position, samples))
        else:
            index = bisect_left(segments, position, key=lambda segment: segment[0])
            if segments[index][0] == position:
                return None
            segments.insert(index, (position, samples))
        if len(segments) <= MAX_SEGMENTS:
            return None
        start, oldest = segments.pop(0)
        return start + len(oldest)

    def take(self, position: int) -> Samples | None:
        """The frame at ``position``, shape (160,), or None if none of it is there; all before it goes."""
        segments = self._segments
        self.discard_before(position)
        end = position + FRAME_SAMPLES
        if not segments or segments[0][0] >= end:
            return None
        if segments[0][0] == position and len(segments[0][1]) == FRAME_SAMPLES:
            return segments.pop(0)[1]
        frame = np.zeros(FRAME_SAMPLES, np.int16)
        filled = position
        rest: list[tuple[int, Samples]] = []
        while segments and segments[0][0] < end:
            start, samples = segments.pop(0)
            begin, stop = max(start, filled), min(start + len(samples), end)
            if begin < stop:
                frame[begin - position : stop - position] = samples[begin - start : stop - start]
                filled = stop
            if start + len(samples) > end:
                rest.append((end, samples[end - start :]))
        segments[:0] = rest
        return frame

    def discard_before(self, position: int) -> int:
        """Throw away packets that end at or before ``position``; give how many."""
        segments = self._segments
        count = 0
        while count < len(segments) and segments[count][0] + len(segments[count][1]) <= position:
            count += 1
        del segments[:count]
        return count
