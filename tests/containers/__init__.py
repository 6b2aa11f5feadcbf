"""Containers that are really run: a daemon, images that stand in where none can be had, and the compose file.

`make containers` is `python -m tests.containers`.
"""
