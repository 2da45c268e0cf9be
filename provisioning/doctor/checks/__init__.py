"""The checks, one subject a module; each function looks at one thing and never raises for what it finds."""
