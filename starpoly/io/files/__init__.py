"""Files on disk: found, paired, locked, identified, written whole or not at all."""
