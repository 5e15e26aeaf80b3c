"""Accounts that act as one: linkage, communities, kind, evidence, identity over time."""
