"""Attachments: announcing, uploading and fetching them, the stores of their bytes, and what has to go."""
