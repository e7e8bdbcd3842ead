"""The `json` planner protocol: a plan as schema-constrained JSON, for models that fail at native function calling.

The reply is `{"answer": text}` or `{"steps": [{"tool": name, "args": {…}}, …]}`. On the way in, tool calls and results
of the history are written as text; on the way out, the JSON is read as it streams and becomes the same chunks that a
model with function calling gives.

A small model that must answer writes `{"answer": [{"about", "from", "text"}, …]}`: for each call of the turn which
passage says what it looked for, then the sentence. So it settles on evidence before it writes. Where it found data as
well, it draws a conclusion, whose `sum` is calculated here: `{"text": …, "sum": "129.00 - 15.50", "unit": "EUR"}`.
"""
