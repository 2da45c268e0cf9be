"""What a job may do in its room."""

from __future__ import annotations

import base64
import datetime

import pytest
from livekit import api
from livekit.protocol import agent as wire
from livekit.protocol import models
from livekit.protocol.room import RoomConfiguration

from telephony.dispatch.tokens import JobTokens
from tests.bridge.servers import API_KEY, API_SECRET

pytestmark = pytest.mark.pure


def _claims(room_config: str = "", *, can_subscribe: bool = False) -> api.access_token.Claims:
    answer = wire.AvailabilityResponse(participant_identity="agent-1", participant_attributes={"a": "b"})
    allowed = models.ParticipantPermission(can_subscribe=can_subscribe)
    token = JobTokens(API_KEY, API_SECRET).job("call_1", room_config, answer, allowed)
    return api.TokenVerifier(API_KEY, API_SECRET).verify(token)


def test_a_job_may_enter_one_room_and_do_what_its_worker_asked_for() -> None:
    """No administration, no listing, no recording, no other room; and what was not asked for is denied."""
    claims = _claims(can_subscribe=True)
    video = claims.video
    assert video is not None
    assert (video.room, video.room_join, video.agent) == ("call_1", True, True)
    assert (video.can_subscribe, video.can_publish, video.can_publish_data) == (True, False, False)
    assert not any((video.room_admin, video.room_create, video.room_list, video.room_record))
    assert not any((video.ingress_admin, video.can_update_own_metadata, video.hidden))
    assert (claims.identity, claims.kind, claims.attributes) == ("agent-1", "agent", {"a": "b"})


def test_a_token_is_short_lived() -> None:
    """A token that leaks is worth ten minutes."""
    token = JobTokens(API_KEY, API_SECRET).job(
        "call_1", "", wire.AvailabilityResponse(participant_identity="a"), models.ParticipantPermission()
    )
    import jwt

    claims = jwt.decode(token, API_SECRET, algorithms=["HS256"])
    lifetime = datetime.timedelta(seconds=claims["exp"] - claims["nbf"])
    assert lifetime <= datetime.timedelta(minutes=10)


def test_the_room_is_made_as_the_rule_says_whoever_comes_first() -> None:
    """The rule's room configuration travels in the job's token too; one that is unreadable is left out."""
    config = RoomConfiguration(max_participants=7)
    claims = _claims(base64.b64encode(config.SerializeToString()).decode())
    assert claims.room_config is not None
    assert claims.room_config.max_participants == 7
    assert _claims("not base64!").room_config is None


def test_only_worker_tokens_of_this_key_register() -> None:
    """A participant's token, another key's, and nonsense are no worker's."""
    tokens = JobTokens(API_KEY, API_SECRET)
    other = JobTokens(API_KEY, "another-secret-of-more-than-32-characters")
    grants = api.VideoGrants(room_join=True, room="x")
    joins = api.AccessToken(API_KEY, API_SECRET).with_identity("x").with_grants(grants)
    assert tokens.is_worker(tokens.worker())
    assert not any(tokens.is_worker(token) for token in (other.worker(), joins.to_jwt(), "", "a.b.c"))
