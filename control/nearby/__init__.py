"""Who may see where somebody is: friends, consent, and places that watch."""
