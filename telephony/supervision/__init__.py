"""Processes of our own: started, known to be ready, watched, stopped; and free ports for them."""
