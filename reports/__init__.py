"""Result and verdict documents: written, read, compared, rendered."""
