"""Header fields: order, names, and the guard against injection."""

from __future__ import annotations

import pytest

from telephony.errors import SipParseError
from telephony.sip.headers import Headers

pytestmark = pytest.mark.pure


def test_names_are_equal_in_any_case_and_in_compact_form() -> None:
    """``v``, ``VIA`` and ``Via`` are one header; what was compact is written in full."""
    headers = Headers([("v", "1"), ("X-Own", "a"), ("VIA", "2")])
    assert headers.get_all("via") == ["1", "2"]
    assert headers.items()[0] == ("Via", "1")
    assert "x-own" in headers
    assert headers.get("missing") is None


def test_lines_keep_their_order_and_can_be_changed() -> None:
    """set takes the first one's place, prepend goes on top, remove takes all."""
    headers = Headers([("One", "1"), ("Two", "2"), ("One", "3")])
    headers.set("one", "9")
    headers.prepend("Zero", "0")
    headers.add("Two", "4")
    assert headers.items() == [("Zero", "0"), ("one", "9"), ("Two", "2"), ("Two", "4")]
    headers.replace_first("Two", "5")
    headers.remove("zero")
    assert list(headers) == [("one", "9"), ("Two", "5"), ("Two", "4")]
    with pytest.raises(KeyError):
        headers.replace_first("Three", "x")


def test_list_elements_are_cut_outside_quotes_and_brackets() -> None:
    """Several lines and commas make one list."""
    headers = Headers([("Contact", '"A, B" <sip:a@h?x=1,2>, <sip:c@h>'), ("Contact", "<sip:d@h>,,")])
    assert headers.elements("m") == ['"A, B" <sip:a@h?x=1,2>', "<sip:c@h>", "<sip:d@h>"]


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb", "a\x00b", "a\x0bb", "\ud800"])
def test_no_value_can_end_its_line(value: str) -> None:
    """A line end, another control character or an unpaired surrogate is refused by every way in."""
    with pytest.raises(SipParseError):
        Headers([("X-Own", value)])
    headers = Headers([("X-Own", "ok")])
    for put in (headers.add, headers.set, headers.prepend, headers.replace_first):
        with pytest.raises(SipParseError):
            put("X-Own", value)
    assert headers.items() == [("X-Own", "ok")]


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ключ"])
def test_no_name_can_be_other_than_a_token(name: str) -> None:
    """Names are tokens."""
    with pytest.raises(SipParseError):
        Headers([(name, "x")])


def test_copies_are_independent_and_equal() -> None:
    """A copy changes alone; names compare in any case."""
    headers = Headers([("A", "1")])
    copy = headers.copy()
    assert copy == Headers([("a", "1")])
    copy.add("B", "2")
    assert len(headers) == 1
    assert headers != copy
    assert headers != "A: 1"
