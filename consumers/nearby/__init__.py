"""Who is near, for an edge's viewers: everybody's latest position, and whom of the viewers it concerns."""
