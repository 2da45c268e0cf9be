"""The ways to look at an overlap, one a module; ``telephony.turns.judge`` has their order."""
