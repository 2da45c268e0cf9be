"""The record on disk: SQLite by default, PostgreSQL by URL, the same statements on both.

The api is the only process that opens it.
"""
