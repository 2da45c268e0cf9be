"""What an assistant says and does, as data: its words, its flow, its tools.

``schema`` describes the file, ``loader`` reads it, ``flow`` holds the conversation without a model,
``tools`` act. Nothing here knows LiveKit, SIP or audio.
"""
