"""The HTTP API: what user devices, the CLI and dashboards see of a node."""
