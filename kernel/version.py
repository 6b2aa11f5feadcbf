"""The version of Touchline, in the one place from which package, command line and gateway take it."""

VERSION = "0.2.0"
