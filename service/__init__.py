"""What people meet: the command line, the service over HTTP, and the chat page."""
