"""What a recogniser is told to expect of the Russian prompts: what a telephone exchange says. Pure data.

One hint for all of them, as a dialogue's state has one for whatever is answered in it. It was written before
the first run and has not been changed for a result.
"""

RUSSIAN_PROMPTS = (
    "Наберите добавочный номер и нажмите решётку. Введите пароль. Нажмите один, чтобы прослушать сообщение. "
    "Голосовая почта, конференция, абонент, оператор."
)
