"""Geometry of the report's pictures: pure numbers and labels, which the SVG templates draw."""
