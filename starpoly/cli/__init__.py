"""The command line: one file per sub-command, each with ``HELP``, ``add_arguments(parser)`` and ``run(args)``.

Command files import heavy modules inside functions, so help and usage errors appear at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
