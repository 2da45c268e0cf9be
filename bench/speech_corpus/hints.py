"""What a recogniser is told to expect of each Russian prompt, as a dialogue's state would tell it. Pure data.

A state knows what it is about and not what is said. So there is one hint for each subject, which Debian's
names of the prompts begin with, and one for all others.
"""

from __future__ import annotations

_SUBJECTS = {
    "conf": "Конференция. Участник вошёл в конференцию. Введите номер конференции и нажмите решётку.",
    "vm": "Голосовая почта. Новое сообщение. Нажмите один, чтобы прослушать сообщение. Введите пароль.",
    "dir": "Введите первые буквы имени или фамилии абонента.",
    "agent": "Введите номер оператора и пароль, затем нажмите решётку.",
    "queue": "Все операторы заняты. Оставайтесь на линии, ваш звонок очень важен.",
}
_OTHERS = "Наберите номер и нажмите решётку. Абонент недоступен. Введите пароль."


def subject_hint(name: str) -> str:
    """The hint of a prompt's subject.

    Args:
        name: the prompt's, such as ``conf-onlyperson``.
    """
    return next((hint for subject, hint in _SUBJECTS.items() if name.startswith(subject)), _OTHERS)
