"""What a worker owns beside the streams: states of rooms, inboxes, moderation, friends, feeds, schedules."""
