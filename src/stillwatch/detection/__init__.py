"""Turns features into calibrated signals, and signals into campaigns with evidence."""
