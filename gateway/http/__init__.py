"""HTTP itself: access, bodies, problems, the table of operations and its OpenAPI document."""
