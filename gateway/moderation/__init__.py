"""What moderators do, what users report, and what users may have done with all that is theirs."""
