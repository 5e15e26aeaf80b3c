"""Numbers per account, pair, template and window; the only package that knows the query engine."""
