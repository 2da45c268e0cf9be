"""A SIP user agent of our own (RFC 3261): messages, transactions, dialogs, digest, SDP.

Knows nothing of LiveKit and of RTP. ``SipEndpoint`` is where to start; what it is made of can be
used alone, since everything below ``stack`` does no I/O.
"""
