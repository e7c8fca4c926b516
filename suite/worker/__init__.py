"""Every cell in a process of its own: the launcher that forks it, the protocol, the client, and a fake twin."""
