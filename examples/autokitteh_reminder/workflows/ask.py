from __future__ import annotations

import os

import autokitteh
from workflows import messages

PATIENCE_S = float(os.getenv("PATIENCE_S"))
REMINDERS = int(os.getenv("REMINDERS"))


def on_question(event: autokitteh.Event, session_id: str) -> str | None:
    """Ask, and wait; every wait may take a day, and survives whatever happens meanwhile."""
    question = event.data.body.json.question
    answers = autokitteh.subscribe("answer", f"data.url.query.to == '{session_id}'")
    link = f"{autokitteh.get_webhook_url('answer')}?to={session_id}"
    for number in range(REMINDERS + 1):
        messages.send(f"{'again: ' * number}{question}", link)
        answer = autokitteh.next_event(answers, timeout=PATIENCE_S)
        if answer:
            autokitteh.add_values("answered", 1)
            print(f"the answer: {answer.body.text}")
            return answer.body.text
    print("nobody answered")
    return None
