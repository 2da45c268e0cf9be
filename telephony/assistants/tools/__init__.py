"""What assistants can do: one module a tool, each a typed function of the desk and its arguments."""
