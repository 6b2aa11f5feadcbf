"""What a user has and has not read: places of devices, what rooms have come to, and counts made of both."""
