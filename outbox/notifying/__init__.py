"""Who is told what: notifications as they follow from events and friendships."""
