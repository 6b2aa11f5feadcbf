"""Commands for what people do with each other: rooms, friends, places, moderation."""
