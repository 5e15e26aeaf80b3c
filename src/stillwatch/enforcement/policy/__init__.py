"""What is done about a verdict, as data: read, checked, replayed on stored traffic before it may enforce."""
