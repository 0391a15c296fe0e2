"""The client library of coord, for Trio."""
