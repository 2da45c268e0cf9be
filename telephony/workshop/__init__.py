"""Where assistants are made: scaffolded, checked, talked to in text, and tried by their scripts.

What answers here is what answers calls: the same file, flow, tools and session, without audio.
"""
