"""The typed sections of the operator's file, one module a section; pure data."""
