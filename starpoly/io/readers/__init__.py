"""Readers of images: one registry of file kinds, one file for each."""
