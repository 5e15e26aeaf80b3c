"""The hub that competitors share through: a TAXII 2.1 server that shows each member only what its markings allow."""
