"""What of an utterance has been heard so far, and whether it has asked something. Pure.

Of a text that is being spoken only the share is known that its audio has played; characters are taken to
last equally long, which is right to a word or two.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[^.!?…]*[.!?…]+|[^.!?…]+\Z")


def heard_part(text: str, share: float) -> str:
    """The part of a text that has been spoken, cut after a word.

    Args:
        share: of its audio, 0 to 1.
    """
    end = round(len(text) * min(1.0, max(0.0, share)))
    while end < len(text) and not text[end - 1 : end].isspace() and end > 0:
        end += 1
    return text[:end].rstrip()


def asks(text: str, share: float) -> bool:
    """Whether what is being said, or was said last, is a question.

    A question counts from its first word on, since whoever knows it answers into it, and through the first
    half of what follows it.
    """
    at = len(heard_part(text, share))
    current = before = ""
    for sentence in _SENTENCE.findall(text):
        if not sentence.strip():
            continue
        current, before = sentence, current
        at -= len(sentence)
        if at <= 0:
            break
    return "?" in current or ("?" in before and at < -len(current) / 2)


def last_words(text: str, share: float, count: int = 25) -> str:
    """The last words that were heard of it."""
    return " ".join(heard_part(text, share).split()[-count:])
