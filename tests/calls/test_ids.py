from __future__ import annotations

import pytest

from telephony.calls.ids import (
    CALL_ID_ATTRIBUTE,
    call_id_from_attributes,
    call_id_from_sip,
    is_call_id,
    mint_call_id,
)

pytestmark = pytest.mark.pure


def test_a_sip_leg_has_one_call_id_everywhere() -> None:
    """The id is derived from LiveKit's id alone."""
    assert call_id_from_sip("SCL_abcDEF123456") == "call_abcDEF123456"


@pytest.mark.parametrize("text", ["", "SCL_", "SCL_abc/../x", "SCL_abcDEF123456\n", "abc"])
def test_what_is_no_id_of_livekit_is_refused(text: str) -> None:
    """Nothing that could break a path or a line becomes an id."""
    with pytest.raises(ValueError, match="not a LiveKit call id"):
        call_id_from_sip(text)
    assert not is_call_id(text.replace("SCL", "call"))


def test_an_outbound_call_keeps_the_id_it_was_given() -> None:
    """The api's own id in the attributes wins over LiveKit's; without either there is none."""
    minted = mint_call_id()
    assert is_call_id(minted)
    assert call_id_from_attributes({CALL_ID_ATTRIBUTE: minted, "sip.callID": "SCL_abcDEF123456"}) == minted
    assert call_id_from_attributes({CALL_ID_ATTRIBUTE: "x", "sip.callID": "SCL_abcDEF123456"}) == (
        "call_abcDEF123456"
    )
    assert call_id_from_attributes({}) is None


def test_later_ids_sort_after_earlier_ones() -> None:
    """Minted ids are in time order, so that indexes stay tight."""
    ids = [mint_call_id() for _ in range(50)]
    assert ids == sorted(ids)
