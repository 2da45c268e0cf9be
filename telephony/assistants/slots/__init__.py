"""What a caller can be asked for: one module a type, each a pure reading of an utterance."""
