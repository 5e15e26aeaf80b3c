"""What runs inside a gateway: asks the service, does what it says, keeps the last refusals for when it is lost."""
