"""Near misses of expected words."""

from __future__ import annotations

import pytest

from telephony.speech.fuzzy import corrected, expected_words

pytestmark = pytest.mark.pure

HINT = "Введите номер. Перенести доставку, отменить заказ. Да, всё верно. Оператор."


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("Видите номир.", "Введите номер."),
        ("перенисти доставку", "перенести доставку"),
        ("отминить закас", "отменить заказ"),
        ("соедините с апиратором", "соедините с апиратором"),
        ("аператор", "оператор"),
        ("доставки и заказы", "доставки и заказы"),
        ("завтра после обеда", "завтра после обеда"),
        ("Не надо", "Не надо"),
        ("сменить закон", "сменить закон"),
        ("", ""),
    ],
)
def test_a_near_miss_becomes_what_is_expected(heard: str, meant: str) -> None:
    """One letter of four may differ; short words, other words, marks and capitals stay."""
    assert corrected(heard, HINT) == meant


def test_nothing_is_expected_without_a_hint() -> None:
    """Short words of a hint correct nothing either."""
    assert corrected("видите", "") == "видите"
    assert expected_words("Да, нет, введите") == ["введите"]
