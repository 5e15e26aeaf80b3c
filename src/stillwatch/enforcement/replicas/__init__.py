"""Several services that stand as one: limits by leases and verdicts by a stream, through Redis or Valkey."""
