"""Outbound calls: what is asked for, whether it may be, and a phone that rings at most once for it."""
