"""Who is near whom, and what is fenced."""
