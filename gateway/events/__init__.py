"""Events over HTTP: posting them, what became of each, and a stream's past."""
