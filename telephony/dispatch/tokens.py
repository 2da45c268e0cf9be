"""The token with which a job enters its call's room.

Least privilege: one room, no administration, no listing, no creation of other rooms; what the worker
asked for when it registered and nothing more; ten minutes to use it, since a job joins at once and
livekit-server renews the token of whoever is inside. Mirrors the token that livekit-server v1.13.5 makes
for a job (``pkg/agent``).
"""

from __future__ import annotations

import base64
import binascii
import datetime
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit import api
from livekit.protocol.room import RoomConfiguration

if TYPE_CHECKING:
    from livekit.protocol.agent import AvailabilityResponse
    from livekit.protocol.models import ParticipantPermission

LIFETIME = datetime.timedelta(minutes=10)


class JobTokens:
    """Makes tokens with one key of livekit-server."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._api_key = api_key
        self._api_secret = api_secret

    def worker(self) -> str:
        """A token with which a worker registers."""
        token = api.AccessToken(self._api_key, self._api_secret)
        return token.with_grants(api.VideoGrants(agent=True)).to_jwt()

    def is_worker(self, token: str) -> bool:
        """Whether a token lets its bearer register as a worker."""
        try:
            claims = api.TokenVerifier(self._api_key, self._api_secret).verify(token)
        except Exception:
            # The library raises whatever its JWT decoder does.
            return False
        return claims.video is not None and bool(claims.video.agent)

    def job(
        self,
        room: str,
        room_config: str,
        answer: AvailabilityResponse,
        permissions: ParticipantPermission,
    ) -> str:
        """A token for one job.

        Args:
            room: the one that it may enter.
            room_config: as in ``messages.Launch``; one that cannot be read is left out.
            answer: who the worker wants the agent to be.
            permissions: what the worker asked for.
        """
        token = (
            api.AccessToken(self._api_key, self._api_secret)
            .with_identity(answer.participant_identity)
            .with_name(answer.participant_name)
            .with_metadata(answer.participant_metadata)
            .with_attributes(dict(answer.participant_attributes))
            .with_kind("agent")
            .with_ttl(LIFETIME)
            .with_grants(
                api.VideoGrants(
                    room_join=True,
                    room=room,
                    agent=True,
                    can_publish=permissions.can_publish,
                    can_subscribe=permissions.can_subscribe,
                    can_publish_data=permissions.can_publish_data,
                    can_update_own_metadata=permissions.can_update_metadata,
                    hidden=permissions.hidden,
                )
            )
        )
        config = _config(room_config)
        return (token.with_room_config(config) if config is not None else token).to_jwt()


def _config(text: str) -> RoomConfiguration | None:
    if not text:
        return None
    config = RoomConfiguration()
    try:
        config.ParseFromString(base64.b64decode(text, validate=True))
    except (DecodeError, binascii.Error):
        return None
    return config
