"""What a patient can be known by: finders, locales, names, and what stands in their place."""
