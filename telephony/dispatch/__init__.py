"""The dispatcher: finds a worker for each call before it rings, and sees what becomes of the job.

A process of its own, one a machine: ``python -m telephony.dispatch --socket PATH``. Bridges ask it over a
Unix socket (``messages``, ``client``), workers register with it as with livekit-server (``worker_session``),
and it registers them there in turn (``upstream``), so that dispatches of LiveKit's API reach them too.
"""
