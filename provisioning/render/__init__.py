"""What the one file becomes for livekit-server, livekit-sip, bridge, egress and firewall."""
