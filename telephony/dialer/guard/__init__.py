"""Whether a phone may be rung: decided before anything leaves, from rules, counts and a clock alone.

Pure, and it fails closed: what is not understood, not known or not allowed is refused.
"""
