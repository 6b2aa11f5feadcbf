"""Touchline's face for programs: `from touchline import Producer, Viewer`."""
