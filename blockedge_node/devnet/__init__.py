"""A whole network on one machine: anvil, the contracts and N real daemons on loopback.

Named cheats live here and never in the daemon: a dishonest node is an honest daemon with another performer.
"""
