"""The commands: one thin file per verb (contract: cli.md)."""
