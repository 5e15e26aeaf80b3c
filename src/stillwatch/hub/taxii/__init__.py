"""TAXII 2.1 (OASIS) over what the hub keeps."""
