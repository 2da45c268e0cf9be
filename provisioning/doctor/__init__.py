"""Find out why calls fail, without a caller: checks with evidence and a fix, one concept a module."""
