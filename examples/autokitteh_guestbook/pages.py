from __future__ import annotations

import os
from html import escape

import yaml
from autokitteh import Event, get_value, get_webhook_url, http_outcome, set_value

TITLE = os.getenv("TITLE", "")
URL = get_webhook_url("page")


def on_request(event: Event) -> None:
    """Show the guests to those who ask, add those who sign, and give all of them as YAML."""
    guests = get_value("guests") or []
    match event.data.method, event.data.url.path_suffix:
        case "GET", "":
            lines = "".join(f"<li>{escape(name)}</li>" for name in guests)
            form = f'<form method="post" action="{URL}"><input name="name"></form>'
            http_outcome(200, f"<html><h1>{escape(TITLE)}</h1><ul>{lines}</ul>{form}</html>")
        case "POST", "":
            set_value("guests", [*guests, event.data.body.form.name])
            http_outcome(303, headers={"Location": URL})
        case "GET", "guests.yaml":
            http_outcome(body=yaml.safe_dump(guests), headers={"Content-Type": "application/yaml"})
        case _:
            http_outcome(404, body="there is no such page")
