"""One machine's phone line: its processes started in order, watched, and stopped without a trace."""
