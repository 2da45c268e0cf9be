"""The direct line: a call's audio over a local socket, between the bridge and the agent's job.

``messages`` says what goes over it, ``playout`` what the caller hears, ``segments`` what the job knows of
that; ``channel`` and ``listener`` are the socket; ``bridge_end`` and ``job_end`` its two ends.
"""
