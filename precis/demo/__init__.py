"""The demonstration: the whole service at work on one machine, checked as it goes.

`main` starts and stops the stack, `steps` asks as a customer would, `evidence` looks
behind the door, `receiver` and `mailbox` are the customer's side of the messages.
"""
