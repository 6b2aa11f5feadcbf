"""How text becomes words, and places become distances: one function for documents, queries and alerts."""
