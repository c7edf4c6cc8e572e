"""A build's stream in the files that other trainers read: one module a family of formats.

A format is a value with `piece` (one shard of the build becomes one or more files, in the stream's
order) and `finish` (the files that name the others). `pipelines.export` drives them.
"""
