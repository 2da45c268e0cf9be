"""Servers that speak the wire of speech providers, to point ``base_url`` at: for tests, benches and demos."""
