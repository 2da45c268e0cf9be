"""What a caller can be asked for in Russian: the same values as in English, read and said otherwise."""
