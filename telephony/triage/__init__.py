"""Who answered a call that we dialled: a person, a mailbox, a call screener, a menu, or nobody at all.

Pure: samples and words in, a decision out; time is counted in samples. Knows nothing of LiveKit, of SIP or
of any provider. ``triage.Triage`` is the whole; ``docs/outbound-answers.md`` says what it decides and why.
"""
