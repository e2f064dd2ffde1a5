"""Tasks in plain language, each with a platform state, a reference solution, and a judge of anybody's outcome.

They are how changes to names, descriptions and answers are judged: `costs.json` says what the references need, and
`python -m tests.evals` gives the tasks to a real agent.
"""
