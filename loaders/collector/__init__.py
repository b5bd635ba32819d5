"""The HTTP collector: events are answered once they are durable here, and land from here."""
