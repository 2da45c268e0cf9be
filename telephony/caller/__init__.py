"""The simulated person: a SIP user agent that dials, listens, speaks, interrupts and reports.

Stands on ``telephony.sip`` and ``telephony.rtp`` and knows nothing of LiveKit: it can judge any SIP endpoint.
"""
