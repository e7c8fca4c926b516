"""Process isolation of cells: the launcher that forks, the protocol, the client, and a fake worker."""
