"""The lab's AWS: moto's API with a real guest behind each instance."""
