"""The record on disk, each test on SQLite and on PostgreSQL."""
