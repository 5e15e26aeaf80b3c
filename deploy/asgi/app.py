"""Decisions in front of your own FastAPI or Starlette application.

Run `uvicorn app:app` in place of `uvicorn host:app`.
"""

from typing import Any

from host import app

from stillwatch.enforcement.gateways.asgi import Stillwatch
from stillwatch.enforcement.gateways.client import Client


def account_of(scope: Any) -> str | None:
    """Return the account, as the application's own authentication found it; None: the API key is looked up."""
    user = scope.get("user")
    return user.username if user is not None and user.is_authenticated else None


client = Client("http://127.0.0.1:8377", adapter="asgi", deadline_s=0.02)
app.add_middleware(Stillwatch, client=client, account_of=account_of)
# What is added last sees requests first: add the authentication that sets scope["user"] after this line.
