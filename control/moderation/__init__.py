"""What moderators decide of users and messages: sanctions, reports, what was taken back, who is erased."""
