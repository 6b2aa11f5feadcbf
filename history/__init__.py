"""A stream's past, complete and in order: the index up to the indexer's watermark, then the log."""

from history.pages import Page
from history.reader import History

__all__ = ["History", "Page"]
