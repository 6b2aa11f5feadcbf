"""Friends, consent and fences over HTTP."""
