"""Who may say what, and what is taken back."""
