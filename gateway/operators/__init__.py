"""What operators see: the roles' figures, and what was refused."""
