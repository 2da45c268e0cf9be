"""What a call is: pure decisions over events in any order."""
