"""Which documents stay, and how they change: one file a filter."""
