from __future__ import annotations

from datetime import timedelta

from hookline import Event, activity, get_webhook_url, next_event, subscribe, unsubscribe

PATIENCE = timedelta(days=3)


def on_expense(event: Event) -> str:
    """Ask, wait for an answer, remind once, and give up when nobody cares."""
    expense = event.data.body.json
    answers = subscribe("decision", f"data.url.query.expense == '{int(expense['id'])}'")
    link = f"{get_webhook_url('decision')}?expense={int(expense['id'])}"
    ask(
        expense["manager"],
        f"{expense['who']} spent {expense['amount']} on {expense['what']}: {link}",
    )
    answer = next_event(answers, timeout=PATIENCE)
    if answer is None:
        ask(expense["manager"], f"still open: {link}")
        answer = next_event(answers, timeout=PATIENCE)
    unsubscribe(answers)
    if answer is None:
        print("nobody decided; the expense is refused")
        return "expired"
    verdict = "approved" if answer.url.query.get("verdict") == "yes" else "refused"
    print(f"the expense is {verdict}")
    return verdict


@activity
def ask(manager: str, text: str) -> None:
    """Here a mail would be sent; a recorded mail is not sent again after a crash."""
    print(f"to {manager}: {text}")
