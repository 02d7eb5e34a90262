"""Heads, the outputs of the network: one registry, one file each."""
