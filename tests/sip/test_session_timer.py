"""What both ends agree on about repeating a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SipParseError
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.session_timer import (
    MIN_SE_S,
    Terms,
    TooBrief,
    accept,
    agreed,
    allows_update,
    answer_headers,
    min_se,
    offer_headers,
    session_expires,
    supports_timer,
)
from telephony.sip.uri import SipUri

pytestmark = pytest.mark.pure


def _invite(*headers: tuple[str, str]) -> SipRequest:
    request = SipRequest("INVITE", SipUri("1", "192.0.2.1"))
    request.headers.extend(headers)
    return request


def _ok(*headers: tuple[str, str]) -> SipResponse:
    response = SipResponse(200, "OK")
    response.headers.extend(headers)
    return response


KNOWS = ("Supported", "100rel, timer")


@pytest.mark.parametrize(
    ("headers", "ours", "answer"),
    [
        ([("Session-Expires", "1800")], True, "1800;refresher=uas"),
        ([("Session-Expires", "1800;refresher=uac")], True, "1800;refresher=uas"),
        ([KNOWS, ("Session-Expires", "1800")], False, "1800;refresher=uac"),
        ([KNOWS, ("x", "1800 ; refresher=UAC")], False, "1800;refresher=uac"),
        ([KNOWS, ("Session-Expires", "1800;refresher=uas")], True, "1800;refresher=uas"),
        ([("Session-Expires", "60")], True, "90;refresher=uas"),
    ],
)
def test_the_refresher_is_that_of_table_2(headers: list[tuple[str, str]], ours: bool, answer: str) -> None:
    """RFC 4028 section 9; and whoever is counted on must be told so by Require."""
    terms = accept(_invite(*headers))
    assert isinstance(terms, Terms)
    assert terms.ours is ours
    told = dict(answer_headers(terms))
    assert told["Session-Expires"] == answer
    assert ("Require" in told) is not ours


def test_an_interval_below_ours_is_422() -> None:
    """With our least one in Min-SE, for a peer that knows timers."""
    refused = accept(_invite(KNOWS, ("Session-Expires", "60;refresher=uac")))
    assert refused == TooBrief()
    assert refused.headers == (("Min-SE", "90"),)


def test_where_nobody_asks_there_is_no_timer() -> None:
    """Unless we want one; then we refresh, and a Min-SE of a proxy raises it."""
    assert accept(_invite()) is None
    assert answer_headers(None) == []
    assert accept(_invite(KNOWS, ("Min-SE", "600")), wanted_s=300) == Terms(600, ours=True, peer_knows=True)
    assert accept(_invite(), wanted_s=300) == Terms(300, ours=True, peer_knows=False)


def test_our_invite_says_what_we_want() -> None:
    """Support always, an interval only where one is wanted or a 422 asked for it."""
    assert offer_headers(0) == [("Supported", "timer")]
    assert dict(offer_headers(1800))["Session-Expires"] == "1800"
    assert dict(offer_headers(100, 600)) == {"Supported": "timer", "Session-Expires": "600", "Min-SE": "600"}


@pytest.mark.parametrize(
    ("headers", "terms"),
    [
        ([], None),
        ([KNOWS, ("Session-Expires", "600;refresher=uac")], Terms(600, ours=True)),
        ([("Session-Expires", "600;refresher=uas"), ("Require", "timer")], Terms(600, ours=False)),
        ([("Session-Expires", "600")], Terms(600, ours=True, peer_knows=False)),
    ],
)
def test_the_answer_settles_it(headers: list[tuple[str, str]], terms: Terms | None) -> None:
    """A 2xx without Session-Expires means no timer."""
    assert agreed(_ok(*headers)) == terms


def test_a_peer_without_timers_stays_refreshed_by_us() -> None:
    """Its 200 to our refresh says nothing, and what held goes on; one that knows them has called it off."""
    alone = Terms(600, ours=True, peer_knows=False)
    assert agreed(_ok(), before=alone) == alone
    assert agreed(_ok(), before=Terms(600, ours=True)) is None


def test_times_are_those_of_the_rfc() -> None:
    """Half of the interval to refresh; a third of it, at most 32 s, before its end to hang up."""
    assert (Terms(1800, ours=True).refresh_after_s, Terms(1800, ours=True).expire_after_s) == (900, 1768)
    assert Terms(90, ours=False).expire_after_s == 60


def test_what_is_supported_is_read_in_any_form() -> None:
    """Lists, compact names and letters of any case."""
    assert supports_timer(_invite(("k", "foo,TIMER")))
    assert supports_timer(_invite(("Require", "timer")))
    assert not supports_timer(_invite(("Supported", "timers")))
    assert allows_update(_ok(("Allow", "INVITE, update")))
    assert not allows_update(_ok(("Allow", "INVITE")))
    assert min_se(_ok(("Min-SE", "1200;x=1"))) == 1200
    assert min_se(_ok(("Min-SE", "soon"))) == MIN_SE_S


@given(
    value=st.text(
        st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=24
    )
)
def test_garbage_is_no_interval_or_one_within_bounds(value: str) -> None:
    """Whatever a header holds, nothing raises and no call gets an interval that cannot be kept."""
    try:
        message = _invite(KNOWS, ("Session-Expires", value), ("Min-SE", value))
    except SipParseError:
        # What no header can hold never gets here.
        return
    read = session_expires(message)
    assert read is None or 0 < read[0] <= 86400
    terms = accept(message)
    assert terms is None or isinstance(terms, TooBrief) or MIN_SE_S <= terms.interval_s <= 86400
