"""Handing a caller over to a person: by REFER, or by a second leg in the caller's own room."""
