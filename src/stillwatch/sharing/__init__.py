"""From findings to what may be shared, and back: objects, clearance, private matching, signatures."""
