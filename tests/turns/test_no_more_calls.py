from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.turns.no_more_calls.matcher import (
    Pattern,
    acknowledgement,
    demand_in,
    languages,
    wordings,
)
from telephony.turns.words import words_of

pytestmark = pytest.mark.pure

DEMANDS = """
Don't call me again.
Please don't call me again!
don't ever call me again
Do not call me anymore, please.
Never call me again, you people.
never ever call this... never call here again
Stop calling me.
Please stop calling me, okay?
Would you please stop calling me?
Can you stop calling
I told you not to call me again.
I said don't call this number again
Take me off your list.
Please remove me from your calling list
Remove my number from your database, thanks
Take my number off of your list.
Put me on your do not call list.
I'm on the do-not-call registry
I don't want to be called again.
I don't want you to call me
I do not want any more calls
I don't want to receive any more of these calls from you
No more calls, please.
Lose my number.
I'd like to opt out
Leave me alone!
Look, I am at work. Do not call me, please. Goodbye.
If you don't stop calling me I will call a lawyer, stop calling me
Больше не звоните.
Больше мне не звоните, пожалуйста!
Не звоните мне больше
Не звоните мне больше никогда.
Никогда больше сюда не звоните
Вы мне больше не звоните, пожалуйста
Пожалуйста, не звоните мне.
Не звоните сюда!
Не надо мне звонить.
Больше не надо мне звонить
Перестаньте мне звонить!
Хватит мне названивать
Прекратите звонить.
Удалите мой номер.
Удалите мой номер из вашей базы, пожалуйста
Уберите меня из списка
Вычеркните меня из вашей базы.
Внесите меня в чёрный список
Я запрещаю вам звонить мне... запрещаю мне звонить
Прошу больше мне не звонить.
Прошу вас не звонить
Я хочу, чтобы вы мне больше не звонили
Чтобы больше сюда не звонили!
Я не хочу, чтобы мне звонили.
Оставьте меня в покое!
Отстаньте от меня
Я не давала вам согласия на звонки.
Не смейте больше мне звонить
Не беспокойте меня больше
Больше никогда не звоните на этот номер
Не звоните на этот номер, тут таких нет
Девушка, больше не звоните, пока.
Я сегодня уже говорил, больше не звоните
"""

OTHERWISE = """
Call me again tomorrow.
Don't call me before nine.
Don't call me again today, call tomorrow.
Please do not call me again until Monday.
Today don't call me again
Don't call me after six
Don't call me Al.
Stop calling me stupid
Don't call me sir
He said don't call me again
She told me don't call me again
If you don't call me again I will miss it
You never call me anymore.
They don't call me anymore
Why don't you call me again tomorrow?
I didn't say don't call me again
You don't have to call back.
I will not call you again.
Can I call you again?
I don't want to call the doctor again
Take me to the list of services
My number is on the card
Remove my appointment, please
I have no more questions
Don't hang up
Do not disturb the doctor
I need to stop. Calling me is fine.
I want to opt for the morning
Перезвоните мне завтра.
Не звоните мне после девяти.
Не звоните мне сегодня
Больше не звоните так поздно
Сегодня больше не звоните
До понедельника мне не звоните
Не звоните мне на мобильный, звоните на рабочий
Он мне больше не звонит
Она больше не звонила
Мне больше никто не звонил
Почему вы мне больше не звоните?
Он сказал: «Я занят», и больше не звонил
Если вы больше не звоните, то мы договоримся иначе
Она сказала не звоните мне
Я вам больше не звоню
Не надо мне записи
Не звоните, пока я не приеду
Удалите мою запись на пятницу.
Уберите меня с пятницы на субботу
Можно больше не звонить, чтобы подтвердить?
Хватит одного приёма
Перестаньте, пожалуйста, шутить.
Прошу не звонить после десяти
Забудьте, это был вопрос
Запишите мой номер
Я не могу звонить
Мне никто не звонит
"""


@pytest.mark.parametrize("text", DEMANDS.strip().splitlines())
def test_a_demand_is_understood(text: str) -> None:
    """However people say it, in English and Russian, with or without marks."""
    assert demand_in(text) is not None
    assert demand_in(text.casefold()) is not None


@pytest.mark.parametrize("text", OTHERWISE.strip().splitlines())
def test_what_only_sounds_like_it_is_not_taken_for_it(text: str) -> None:
    """Another time, another topic, somebody else's words, another verb."""
    assert demand_in(text) is None, demand_in(text)


def test_the_words_and_the_language_are_told() -> None:
    """The record says by which words it was understood, and nothing else that was said."""
    demand = demand_in("My card is 4111. Больше мне не звоните, девушка.")
    assert demand is not None
    assert (demand.language, demand.phrase) == ("ru", "больше мне не звоните")


def test_each_language_answers_in_its_own_words() -> None:
    """The acknowledgement names the list and says goodbye; other languages get English."""
    assert languages() == ("en", "ru")
    assert "Goodbye" in acknowledgement("en-GB")
    assert "До свидания" in acknowledgement("ru")
    assert acknowledgement("fr") == acknowledgement("en")


@pytest.mark.parametrize("language", languages())
def test_every_pattern_is_understood_by_itself(language: str) -> None:
    """No phrase of a file is shadowed by the rules of its own file, in its shortest and its longest form."""
    known = wordings(language)
    for pattern in {each for patterns in known.patterns.values() for each in patterns}:
        for whole in (True, False):
            steps = [min(choices) for choices, optional in pattern.steps if whole or not optional]
            found = known.found_in(" ".join(steps))
            assert (found is None) == (pattern.kind == "otherwise"), steps


def test_a_pattern_stands_for_all_its_phrases() -> None:
    """Alternatives and optional words; the longest match counts."""
    pattern = Pattern.parse("a/b [c/d] e", "anywhere")
    assert [pattern.end(words_of(text), 0) for text in ("a e", "b d e x", "a c", "c e")] == [2, 3, 0, 0]
    assert list(pattern.first_words()) in (["a", "b"], ["b", "a"])
    with pytest.raises(ValueError, match="joined"):
        Pattern.parse("a a-b", "anywhere")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever was recognised, there is an answer."""
    demand_in(text)


def test_a_long_utterance_takes_no_time() -> None:
    """It is looked at in every turn of every call."""
    demand_in("warm up")
    began = time.process_time()
    for _ in range(20):
        demand_in("мне больше не надо " * 100)
    assert time.process_time() - began < 2
