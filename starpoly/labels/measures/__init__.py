"""Measurements of the objects of a label image: one module for each group of columns, and what they share."""
