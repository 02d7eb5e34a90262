"""HTML reports on a batch of images and on a training."""
