"""Image readers: one registry of file kinds, one file each."""
