"""What a recogniser hears of a caller on a telephone line: the channel of all figures of ``bench/speech.py``.

Speech at -20 dBFS, the band of a telephone (250 to 3500 Hz), the line's own noise at -62 dBFS or more of it,
G.711 there and back, 0.3 s of the line before the first sound and 0.5 s after the last. Seeded.
"""

from __future__ import annotations

import numpy as np

from telephony.audio.frame import RATE, Samples, to_int16
from telephony.audio.g711 import PCMU
from telephony.caller.voice import LEVEL_DBFS, shape_line

LEAD_S, TAIL_S = 0.3, 0.5
LINE_NOISE_DBFS = -62.0


def phone(samples: Samples, *, seed: int, snr_db: float | None = None) -> Samples:
    """Speech as the line brings it.

    Args:
        samples: 8 kHz, shape (n,).
        snr_db: speech over white noise; None for a quiet line.

    Returns:
        Shape (m,), int16, 8 kHz.
    """
    shaped = shape_line(samples, LEVEL_DBFS)
    whole = np.concatenate([np.zeros(round(LEAD_S * RATE)), shaped, np.zeros(round(TAIL_S * RATE))])
    noise_dbfs = LINE_NOISE_DBFS if snr_db is None else LEVEL_DBFS - snr_db
    noise = np.random.default_rng(seed).normal(0.0, 32768 * 10 ** (noise_dbfs / 20), whole.size)
    return PCMU.decode(PCMU.encode(to_int16(whole + noise)))
