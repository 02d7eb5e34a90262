"""The command line: one file per sub-command, each with ``HELP``, ``add_arguments(parser)`` and ``run(args)``.

Command files import what is heavy inside their functions, so that help and usage errors come at once.
"""
