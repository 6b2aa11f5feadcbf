"""Rooms: who is in them and may write and read what, from what their streams say."""
