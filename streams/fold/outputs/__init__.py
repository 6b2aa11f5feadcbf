"""What the fold says beside the event itself: answers, audit, tallies, retractions. Pure."""
