"""What an edge does for a messenger's users: all their rooms, what is unread, and who is there."""
