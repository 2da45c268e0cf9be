"""What no single value can show: names that must exist, values that exclude each other, surprises.

Pure. Problems make the file invalid; notes say what happens instead of what was written.
"""

from provisioning.coherence.whole import check_coherence

__all__ = ["check_coherence"]
