"""The filters, done to every file at once; the only package that knows Ray."""
