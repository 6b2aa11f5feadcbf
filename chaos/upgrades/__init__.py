"""From an earlier version to this one: what it has, and whether its data are gone on with."""
