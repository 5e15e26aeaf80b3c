"""Append-only logs that prove what they hold: Merkle tree, tiles, signed checkpoints, witnesses."""
