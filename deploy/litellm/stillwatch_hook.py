"""The hook that config.yaml names; put it beside that file. Replace the address of the decision service."""

from stillwatch.enforcement.gateways.litellm import handler as make_handler

handler = make_handler("http://127.0.0.1:8377", deadline_s=0.02)
