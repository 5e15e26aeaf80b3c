"""What may leave: rules as data, counsel's queue, and the only way from a finding to the wire."""
