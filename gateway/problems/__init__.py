"""What is refused, and in which words: the catalogue of problems and their answers."""
