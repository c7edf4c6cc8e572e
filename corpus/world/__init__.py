"""The miniature world's writers: one a publisher, with invented prose and planted truth."""
