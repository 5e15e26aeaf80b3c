"""The transports of the decision service: how gateways ask, and what they are answered."""
