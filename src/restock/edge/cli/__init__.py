"""The command line: `root` builds it, every other module holds the commands of one subject and is loaded when one runs."""
