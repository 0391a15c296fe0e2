"""What a replica knows: the tree, the sessions, the watches; deterministic."""
