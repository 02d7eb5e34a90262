"""Writers of results: one file for each format, with ``write_results(path, results)``."""
