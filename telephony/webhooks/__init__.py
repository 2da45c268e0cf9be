"""Webhooks: LiveKit's come in as hints, ours go out signed, in order, until they are delivered or dead."""
