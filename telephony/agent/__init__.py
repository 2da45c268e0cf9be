"""The agent worker: takes calls from LiveKit, one job process a call, and leads each to its end.

``worker`` is the process that stays, ``job`` what runs for one call. ``python -m telephony.agent``
starts it.
"""
