"""Who listens, thinks and speaks: providers behind LiveKit's own classes, and an engine for having none.

``settings`` describes the choice, ``providers`` builds it. ``engine`` is the process that holds the
offline models, ``client`` talks to it. ``settings`` and ``client`` import neither LiveKit nor a model.
"""
