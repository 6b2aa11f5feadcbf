"""From samples to docs/performance.md: what is measured, figures as data, plots, the page."""
