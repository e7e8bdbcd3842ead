"""What people saved of OpenAI's Assistants API, which ended on 2026-08-26: read, and taken over."""
