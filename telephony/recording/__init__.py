"""Recording both legs of a call as it goes: caller left, everybody whom the caller hears right."""
