"""The api: a real service over each database, asked over HTTP."""
