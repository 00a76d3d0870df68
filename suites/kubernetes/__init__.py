"""What the Kubernetes API reference promises: the API's machinery, and what becomes of it."""
