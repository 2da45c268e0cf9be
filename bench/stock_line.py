"""Our line with the stock agent in our agent's place: same server, bridge, callers and providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.line.line import Line

if TYPE_CHECKING:
    from telephony.supervision.part import PartSpec


class StockLine(Line):
    """A line whose worker is ``bench.stock_agent``."""

    def _worker(self) -> PartSpec:
        spec = super()._worker()
        spec.argv = [*spec.argv[:-1], "bench.stock_agent"]
        # Our worker spares a job the weights of the end-of-turn model; the stock agent uses it.
        spec.env = {**spec.env, "LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE": "1"}
        return spec
