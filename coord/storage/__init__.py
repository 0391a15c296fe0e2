"""LMDB, and nothing else touches it."""
