"""What people and programs outside meet: command line, REST, files."""
