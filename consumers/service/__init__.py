"""What an edge does for viewers, whatever they are connected by."""
