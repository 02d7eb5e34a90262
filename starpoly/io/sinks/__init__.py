"""Results of any size to files: label images are pulled region by region, outlines are streamed."""
