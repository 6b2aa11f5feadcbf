"""What a run is made of beside viewers and their events: each system that people use is a part."""
