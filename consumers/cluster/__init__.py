"""An edge among edges: which partitions it reads, who is where, how it leaves."""
