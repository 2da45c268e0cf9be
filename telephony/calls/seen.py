"""Which numbers of a source were read, as ranges, so that a gap is seen and a repeat changes nothing.

Pure.
"""

from __future__ import annotations

Ranges = tuple[tuple[int, int], ...]
"""Ascending, disjoint, not touching: first and last number of each, both included."""


def add(ranges: Ranges, number: int) -> Ranges:
    """The ranges with one number more."""
    low, high = number, number
    kept = []
    for first, last in ranges:
        if last < low - 1 or first > high + 1:
            kept.append((first, last))
        else:
            low, high = min(low, first), max(high, last)
    return tuple(sorted([*kept, (low, high)]))


def missing(ranges: Ranges) -> list[list[int]]:
    """The gaps from 1 to the highest number read."""
    gaps, following = [], 1
    for first, last in ranges:
        if first > following:
            gaps.append([following, first - 1])
        following = last + 1
    return gaps
