"""Files on disk: find, pair, lock, identify and write them atomically."""
