"""Mutated files, by number, for everything that starpoly reads: images of all kinds, masks, tables, settings, models, journals, caches.

``python -m fuzz --from N --count M`` reads M of them and counts what became of each. The same number is the same input on
every machine with the same libraries.
"""
