"""What several tests need; each file is one thing, named after it. It imports no tests.

| to | open |
|---|---|
| be an agent of a server in front of a simulated platform | `bench.py`; its fixtures are in `tests/conftest.py` |
| be a client that shows pages, and call what these call | `hosts.py`; in a browser, `tests/browser/app_host.py` |
| be the person who is asked for approval | `people.py`; as a client of 2026-07-28 sees it, `questions.py` |
| have a platform that answers what the test says | `recording.py`; one that lies about money, `liars.py` |
| speak to the simulator without a client | `api.py`; real inputs and outputs of tools, `golden_bodies.py` |
| start the program, the simulator or the demo as a process | `processes.py` |
| serve over HTTP: one application, several workers | `site.py`, `workers.py` |
| take results as tasks | `task_client.py`, `waiting_server.py` |
| be told that a run is over | `told.py` |
| decide what time it is | `fake_time.py`; with a simulated platform, `bench.py` |
| have a past of runs, rows, files or log lines | `history.py`, `rows.py`, `run_files.py` |
| call every tool once, give hard schemas or any JSON | `calls.py`, `schemas.py`, `arbitrary.py` |
| know what a text for a model may hold | `facts.py` |
| compare documents with the program | `documents.py` |
| run Node and npm packages | `node.py` |
| let a script run the parts that its command line names | `choice.py` |
| have the pages as they are installed | `built_pages.py` |
| import molecules | `imports.py`; its fixtures are in `tests/tools/molecules/conftest.py` |
| have a docking run that a chemist would believe | `brd4.py` |
"""
