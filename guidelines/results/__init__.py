"""Results of any known tool, read into evidence."""

from guidelines.results.detect import load_results
from guidelines.results.source import Limits

__all__ = ["Limits", "load_results"]
