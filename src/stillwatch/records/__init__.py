"""Turns any provider or gateway log into validated exchanges (contract: records.md)."""
