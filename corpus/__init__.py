"""What a document is and where documents come from."""
