"""OpenAI's protocol: chat completions, responses and models, so that clients written for ChatGPT talk to Selfhelp."""
