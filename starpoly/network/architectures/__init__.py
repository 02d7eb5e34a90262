"""Network architectures: one registry, one file each."""
