"""Class names to class embeddings, and class-embedding optimisation."""
