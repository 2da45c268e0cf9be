"""Header fields of a message: ordered, repeatable, case-insensitive (RFC 3261 section 7.3).

Guarantee: no value that is put in can end its line, so nothing a caller or a peer says can
become a header of its own (header injection).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.grammar import has_control, is_token, split_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}


def _full(name: str) -> str:
    return _COMPACT.get(name.lower(), name) if len(name) == 1 else name


def _checked(name: str, value: str) -> tuple[str, str]:
    if not is_token(name):
        raise SipParseError(f"{name[:32]!r} cannot be a header's name", field="header")
    if has_control(value):
        raise SipParseError("the value has a control character or a line end", field=name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SipParseError("the value cannot be written as UTF-8", field=name) from error
    return _full(name), value.strip(" \t")


class Headers:
    """Header fields in the order of the message; compact names are read and kept in their full form.

    Raises (every method that puts a value in):
        SipParseError: the name is not a token, or the value has a control character.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str]] = [_checked(name, value) for name, value in items]

    def get(self, name: str) -> str | None:
        """The first value of that name, or None."""
        wanted = _full(name).lower()
        return next((value for key, value in self._items if key.lower() == wanted), None)

    def get_all(self, name: str) -> list[str]:
        """The values of that name, one a header line."""
        wanted = _full(name).lower()
        return [value for key, value in self._items if key.lower() == wanted]

    def elements(self, name: str) -> list[str]:
        """The comma-separated elements of all lines of that name, for headers whose grammar is a list.

        Raises:
            SipParseError: a quote or bracket is not closed.
        """
        return [element for value in self.get_all(name) for element in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Append a header line."""
        self._items.append(_checked(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a header line before all others."""
        self._items.insert(0, _checked(name, value))

    def set(self, name: str, value: str) -> None:
        """Make this the only line of that name, at the place of the first."""
        item = _checked(name, value)
        wanted = item[0].lower()
        place = next((i for i, (key, _) in enumerate(self._items) if key.lower() == wanted), len(self._items))
        self._items = [pair for pair in self._items if pair[0].lower() != wanted]
        self._items.insert(place, item)

    def replace_first(self, name: str, value: str) -> None:
        """Exchange the first line of that name; the others stay.

        Raises:
            KeyError: there is none.
        """
        item = _checked(name, value)
        for index, (key, _) in enumerate(self._items):
            if key.lower() == item[0].lower():
                self._items[index] = item
                return
        raise KeyError(name)

    def remove(self, name: str) -> None:
        """Take all lines of that name out; harmless if there is none."""
        wanted = _full(name).lower()
        self._items = [pair for pair in self._items if pair[0].lower() != wanted]

    def extend(self, items: Iterable[tuple[str, str]]) -> None:
        """Append several header lines."""
        for name, value in items:
            self.add(name, value)

    def copy(self) -> Headers:
        """An independent copy."""
        duplicate = Headers()
        duplicate._items = list(self._items)
        return duplicate

    def items(self) -> list[tuple[str, str]]:
        """All lines as (name, value), in order."""
        return list(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(k.lower(), v) for k, v in self._items] == [(k.lower(), v) for k, v in other._items]

    __hash__ = None  # type: ignore[assignment]  # mutable, so it cannot be a key

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"
