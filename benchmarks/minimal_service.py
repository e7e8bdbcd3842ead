"""What a user would write instead: a FastAPI wrapper around `create_agent` and SqliteSaver, in 30 lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import BaseModel, SecretStr

from tools.calculator import calculator
from tools.clock import clock


class Said(BaseModel):
    """What a person says."""

    thread: str
    text: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the agent for as long as the app runs."""
    model = ChatOpenAI(
        model="scripted", base_url=os.environ["MINIMAL_MODEL_URL"], api_key=SecretStr("none"), use_responses_api=False
    )
    database = Path(os.environ["MINIMAL_DATA_DIR"]) / "minimal.sqlite"
    async with AsyncSqliteSaver.from_conn_string(str(database)) as saver:
        app.state.agent = create_agent(model, [calculator, clock], checkpointer=saver)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(said: Said) -> StreamingResponse:
    """Stream the answer."""

    async def events() -> AsyncIterator[str]:
        config = {"configurable": {"thread_id": said.thread}}
        question = {"messages": [("user", said.text)]}
        async for message, _ in app.state.agent.astream(question, config, stream_mode="messages"):
            if isinstance(message, AIMessageChunk) and message.text:
                yield f"event: token\ndata: {json.dumps({'text': message.text})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
