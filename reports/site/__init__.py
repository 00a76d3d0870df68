"""The static site: pages, badges, feed and machine-readable copies made from published results."""
