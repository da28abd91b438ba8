"""What the commands of ``efficientpose`` do; importing these modules loads nothing heavy."""
