"""Following compacted topics: tables in memory, and looks at them."""
