"""Architectures of the network: one registry, one file for each."""
