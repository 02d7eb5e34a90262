"""A page about a batch of images, for people to look through."""
