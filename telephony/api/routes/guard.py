"""What the guard would decide about a call out, without dialling it."""

from fastapi import APIRouter

from telephony.api.access import Caller, CallsDialler
from telephony.api.guard_models import ExplainIn, GuardVerdict
from telephony.api.keys import Scope
from telephony.api.problems import ProblemError, responses
from telephony.api.serving import Serving
from telephony.dialer.guard.verdict import Wanted
from telephony.store.guard import DialGuard
from telephony.store.instants import utc_now

router = APIRouter(prefix="/v1/guard", tags=["calls"])


@router.post("/explain", responses=responses(401, 403, 413, 422))
async def explain(service: Serving, caller: CallsDialler, wanted: ExplainIn) -> GuardVerdict:
    """Say what the guard would decide now, and why; nothing is dialled or reserved."""
    guard = service.dialing.gate
    assert isinstance(guard, DialGuard), "the api's gate"
    _check_key(caller, wanted.key_id)
    async with service.database.read() as connection:
        verdict = await guard.explain(
            connection,
            Wanted(wanted.to, wanted.from_, wanted.trunk),
            wanted.at or utc_now(),
            key_id=wanted.key_id or caller.key_id,
        )
    return GuardVerdict.model_validate(verdict.to_json())


def _check_key(caller: Caller, key_id: str | None) -> None:
    if key_id not in (None, caller.key_id) and not caller.may(Scope.KEYS_READ):
        raise ProblemError(403, "missing_scope", f"Another key's caps are told with {Scope.KEYS_READ} alone.")
