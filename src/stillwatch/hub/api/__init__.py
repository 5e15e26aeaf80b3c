"""The hub's member API below `/v1/`."""
