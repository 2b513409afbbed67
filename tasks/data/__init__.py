"""Text in, arrays out: files, tags, words, vocabularies, features, batches."""
