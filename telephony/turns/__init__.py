"""Who has the floor: what the agent does when the caller makes a sound while it speaks.

Pure: evidence in, decision out, and a state machine on a given clock. Knows neither LiveKit nor audio
devices; ``telephony.agent.turn_taking`` joins it to a session.
"""
