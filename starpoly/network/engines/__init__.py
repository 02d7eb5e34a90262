"""Engines, which run the network: one registry, one file for each."""
