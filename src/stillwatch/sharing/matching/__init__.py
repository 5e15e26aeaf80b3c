"""Private matching: identifiers become tokens that nobody can guess offline, and two parties find their overlap."""
