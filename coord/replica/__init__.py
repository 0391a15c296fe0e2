"""What one replica decides: consensus, operations and client connections joined; no I/O."""
