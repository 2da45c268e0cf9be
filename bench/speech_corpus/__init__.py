"""What ``bench/speech.py`` has offline engines hear and say: texts, the telephone's channel, scoring."""
