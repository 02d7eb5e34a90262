"""Engines that run the network: one registry, one file each."""
