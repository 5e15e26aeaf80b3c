"""Simulated providers, customers and attackers: what stillwatch is tried against, never part of production."""
