"""Who takes part in what `touchline simulate` plays: viewers, supporters, people in rooms, walkers."""
