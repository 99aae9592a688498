"""Tables and figures of studies: named variants side by side, and the paper's numbers."""
