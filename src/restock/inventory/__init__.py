"""What is on hand, what is promised to customers, what was received; reserves stock for each customer order."""
