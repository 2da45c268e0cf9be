"""Providers with deadlines: one that fails, or keeps a caller waiting, is replaced within the turn.

Each of the three stages of a turn has a module: a provider of livekit-agents that asks others. Whatever a
provider does (refuses, answers 500, hangs before or after its first byte, stays mute, is cut in the middle,
slow, or malformed), the next one is asked within a deadline, the one that failed rests for a while and is
asked again after that, and somebody is told, who can fill the wait with speech.
"""
