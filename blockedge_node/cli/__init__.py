"""The `blockedge` command: one file a noun, over the daemon's unix socket."""
