"""The commands of ``provision``, one module each: options in, a view out, an exit code."""
