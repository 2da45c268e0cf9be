"""Whose packets count."""

from __future__ import annotations

import pytest

from telephony.rtp.source import SourceLatch

pytestmark = pytest.mark.pure

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("203.0.113.5", 40001)
OTHER_PORT = ("203.0.113.5", 40002)
INTRUDER = ("198.51.100.9", 6000)


def test_sends_to_the_signalled_address_first() -> None:
    """Before anything arrives, audio goes where the session description says."""
    latch = SourceLatch()
    assert latch.remote is None
    latch.signal(SIGNALLED)
    assert latch.remote == SIGNALLED


def test_follows_the_first_packet() -> None:
    """A peer behind a NAT is answered where its packets come from."""
    latch = SourceLatch()
    latch.signal(SIGNALLED)
    assert latch.accept(BEHIND_NAT, 0.0)
    assert latch.remote == BEHIND_NAT


def test_refuses_another_address_while_the_call_is_alive() -> None:
    """An intruder's packets neither count nor turn the audio to it."""
    latch = SourceLatch()
    latch.signal(SIGNALLED)
    latch.accept(BEHIND_NAT, 0.0)
    assert not latch.accept(INTRUDER, 0.9)
    assert latch.remote == BEHIND_NAT


def test_intruder_does_not_keep_itself_alive() -> None:
    """Refused packets do not count as silence broken, nor do they shorten it."""
    latch = SourceLatch()
    latch.accept(BEHIND_NAT, 0.0)
    assert not latch.accept(INTRUDER, 0.5)
    latch.accept(BEHIND_NAT, 0.8)
    assert not latch.accept(INTRUDER, 1.5)


def test_follows_another_port_of_the_same_address() -> None:
    """A NAT that chose a new port is followed at once."""
    latch = SourceLatch()
    latch.accept(BEHIND_NAT, 0.0)
    assert latch.accept(OTHER_PORT, 0.02)
    assert latch.remote == OTHER_PORT


def test_follows_any_address_after_a_second_of_silence() -> None:
    """A peer that moved to another network is heard again after a second."""
    latch = SourceLatch()
    latch.accept(BEHIND_NAT, 0.0)
    assert latch.accept(INTRUDER, 1.0)
    assert latch.remote == INTRUDER


def test_signalled_address_takes_the_call_back() -> None:
    """Whoever sent first by chance gives way to the address that the peer named."""
    latch = SourceLatch()
    latch.signal(SIGNALLED)
    latch.accept(INTRUDER, 0.0)
    assert latch.accept(SIGNALLED, 0.01)
    assert not latch.accept(INTRUDER, 0.02)
    assert latch.remote == SIGNALLED


def test_latches_anew_when_signalled_again() -> None:
    """After a re-INVITE the next packet decides again."""
    latch = SourceLatch()
    latch.signal(SIGNALLED)
    latch.accept(BEHIND_NAT, 0.0)
    latch.signal(("192.0.2.77", 5000))
    assert latch.remote == ("192.0.2.77", 5000)
    assert latch.accept(INTRUDER, 0.1)


def test_not_symmetric_sends_to_the_signalled_address_only() -> None:
    """With symmetric RTP switched off, packets count from their source but audio goes where it was told."""
    latch = SourceLatch(symmetric=False)
    latch.signal(SIGNALLED)
    assert latch.accept(BEHIND_NAT, 0.0)
    assert latch.remote == SIGNALLED
    assert not latch.accept(INTRUDER, 0.1)
