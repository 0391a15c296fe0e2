"""What clients and servers say to each other, as records and bytes; no I/O."""
