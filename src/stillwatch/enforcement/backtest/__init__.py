"""Stored exchanges replayed through a policy: who would have been hit, before a rule may enforce."""
