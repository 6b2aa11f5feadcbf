"""Searches out of Elasticsearch: requests, scopes, pages."""
