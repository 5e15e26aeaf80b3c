"""Simulated providers, customers and attackers to try stillwatch against; never part of production."""
