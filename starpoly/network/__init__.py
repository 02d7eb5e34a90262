"""The network: architectures, heads, storage and engines. Keras is imported when a network is built."""
