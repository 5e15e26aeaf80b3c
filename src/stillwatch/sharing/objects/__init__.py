"""STIX 2.1 objects: how they are built, extended, marked, checked. Pure: no file is written, nothing is sent."""
