"""Drives `tokmeter mcp` with the official client; prints what it was told as one line of JSON."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=json.loads(sys.argv[2]))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        today = await session.call_tool("today", {})
        wrong = await session.call_tool("report", {"period": "never"})
        told = [answer.model_dump(mode="json", by_alias=True) for answer in (today, wrong)]
        print(json.dumps({"tools": tools, "today": told[0], "wrong": told[1]}))


asyncio.run(main())
