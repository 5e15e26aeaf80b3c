"""What must outlive the process: decisions, verdicts set by people, appeals, exchanges."""
