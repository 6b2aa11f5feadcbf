"""What programs ask a gateway for beside watching: search, rooms, friends, feeds, files, moderation."""
