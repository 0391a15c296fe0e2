"""The server of coord, in layers, from the ground up: see the map in README.md."""
