"""Rendered images: label maps drawn as many microscopes would show them.

:func:`~starpoly.training.rendering.patch.render_patch` renders one; the kinds are in :mod:`starpoly.training.rendering.kinds`.
"""
