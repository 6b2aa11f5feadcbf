"""What is seen of a siege meanwhile: ordinary users, roles, and the machine itself."""
