"""The network: built, trained from, stored and run with Keras; nothing is imported until it is asked for."""
