"""What a run of detection says, and the files that say it."""
