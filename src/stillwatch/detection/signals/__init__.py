"""One file per signal: features of an account or a community in, evidence in bits out."""
