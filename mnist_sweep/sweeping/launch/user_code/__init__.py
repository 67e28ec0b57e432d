"""The user's own code: networks, and tasks in place of training.

`checks` finds what is wrong with either before any run; `networks` builds a network; `tasks` calls
a task, and `task_answer` makes a result of what it returned.
"""
