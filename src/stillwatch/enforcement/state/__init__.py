"""What a decision looks up and counts, in memory."""
