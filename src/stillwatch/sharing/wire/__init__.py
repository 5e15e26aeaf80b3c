"""The only part of stillwatch that speaks to a hub; what it sends of findings is what clearance released."""
