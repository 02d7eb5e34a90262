"""Result writers: one file per format, with ``write_results(path, results)``."""
