"""Batches: many numbers called one after another, never faster, later or more often than somebody allowed."""
