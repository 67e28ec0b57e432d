"""The user's own code: networks, and tasks in place of training.

`checks` builds networks, and finds what is wrong with either before any run; `tasks` calls a task,
and `task_answer` makes a result of what it returned.
"""
