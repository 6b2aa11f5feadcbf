"""Entity state: one whole record an entity in a compacted topic, folded by its owner, followed by readers."""
